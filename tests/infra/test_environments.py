"""Each environment is applied, planned again and destroyed; how its parts hang together."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator

import pytest

from secure_openai.posture.architecture.page import ENVIRONMENTS
from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import SimulationError, Workspace
from secure_openai.tables import table
from tests.infra.conftest import Applied
from tests.infra.estate import INFRA, environment
from tests.infra.test_variants import CUSTOMER_KEY

PUBLIC_FLAGS = (
    "azurerm_application_insights",
    "azurerm_cognitive_account",
    "azurerm_cosmosdb_account",
    "azurerm_key_vault",
    "azurerm_linux_function_app",
    "azurerm_linux_function_app_slot",
    "azurerm_linux_web_app",
    "azurerm_linux_web_app_slot",
    "azurerm_storage_account",
)
SUBRESOURCES = {
    "azurerm_cognitive_account": {"account": "model"},
    "azurerm_cosmosdb_account": {"Sql": "cosmos"},
    "azurerm_key_vault": {"vault": "vault"},
    "azurerm_linux_function_app": {"sites": "sites", "sites-staging": "sites"},
    "azurerm_linux_web_app": {"sites": "sites", "sites-staging": "sites"},
    "azurerm_monitor_private_link_scope": {"azuremonitor": "monitor"},
    "azurerm_storage_account": {"blob": "blob", "queue": "queue", "table": "table"},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_it_applies_plans_again_empty_and_is_destroyed(name: str, applied: Applied) -> None:
    """An environment applies without a warning, a second plan is empty, and nothing is left."""
    done, estate = applied(name)

    assert done.replan_is_empty
    assert not [one for one in done.diagnostics if one.is_error]
    assert len(estate.resources) > 100


@pytest.mark.parametrize("name", ["existing-network", "government", "private"])
def test_nothing_private_can_be_reached_from_the_internet(name: str, applied: Applied) -> None:
    """Every service that could be public says in its own words that it is not."""
    _, estate = applied(name)

    for kind in PUBLIC_FLAGS:
        for one in estate.every(kind):
            flags = {k: v for k, v in one.values.items() if k.startswith("internet_")}
            flags |= {"public": one.values.get("public_network_access_enabled", False)}
            assert not any(flags.values()), one.address
    for workspace in estate.every("azurerm_log_analytics_workspace"):
        assert workspace.values["internet_ingestion_access_type"] == "Disabled"
        assert workspace.values["internet_query_access_type"] == "Disabled"


def test_everything_applies_from_outside_the_network(estate: Estate) -> None:
    """Nothing is made through an address of the estate, or waits for one by the clock."""
    inside = (
        "azurerm_app_configuration_key",
        "azurerm_key_vault_certificate",
        "azurerm_key_vault_key",
        "azurerm_key_vault_secret",
        "azurerm_storage_account_queue_properties",
        "azurerm_storage_account_static_website",
        "azurerm_storage_blob",
        "azurerm_storage_table",
        "null_resource",
        "time_sleep",
    )

    assert estate.every(*inside) == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_service_has_its_endpoints_in_their_zones(name: str, applied: Applied) -> None:
    """Each service has an endpoint for each subresource, in the endpoint subnet, in its zones."""
    _, estate = applied(name)
    zones = table("clouds")["usgovernment" if name == "government" else "public"]["zones"]
    found: set[tuple[str, str]] = set()

    for endpoint in estate.every("azurerm_private_endpoint"):
        (connection,) = endpoint.values["private_service_connection"]
        (subresource,) = connection["subresource_names"]
        target = estate.with_id(connection["private_connection_resource_id"])
        service = SUBRESOURCES[target.type][subresource]
        (group,) = endpoint.values["private_dns_zone_group"]

        assert connection["is_manual_connection"] is False
        assert endpoint.values["subnet_id"].lower().endswith("endpoints")
        assert [i.rpartition("/")[2] for i in group["private_dns_zone_ids"]] == zones[service]
        found.add((target.address, subresource))

    for kind, subresources in SUBRESOURCES.items():
        for target in estate.every(kind):
            wanted = set(subresources)
            if target.address.endswith("storage_account.records"):
                wanted = {"blob"}
            assert {sub for address, sub in found if address == target.address} == wanted


def test_every_zone_is_linked_to_the_network_and_made_once(private: Estate) -> None:
    """No zone is missing, none is double, each is linked to the virtual network."""
    network = private.at("module.network[0].azurerm_virtual_network.this")
    zones = private.every("azurerm_private_dns_zone")
    links = private.every("azurerm_private_dns_zone_virtual_network_link")

    assert {zone.values["name"] for zone in zones} == {
        name for names in table("clouds")["public"]["zones"].values() for name in names
    }
    assert {link.values["private_dns_zone_id"] for link in links} == {zone.id for zone in zones}
    assert {link.values["virtual_network_id"] for link in links} == {network.id}
    assert not any(link.values["registration_enabled"] for link in links)


def test_no_key_and_no_secret(estate: Estate) -> None:
    """Nothing accepts a key, no application has a password, no setting holds a secret."""
    assert not any(
        one.values["local_auth_enabled"] for one in estate.every("azurerm_cognitive_account")
    )
    assert not any(
        one.values["local_authentication_enabled"]
        for kind in (
            "azurerm_application_insights",
            "azurerm_cosmosdb_account",
            "azurerm_log_analytics_workspace",
        )
        for one in estate.every(kind)
    )
    assert not any(
        one.values["shared_access_key_enabled"] for one in estate.every("azurerm_storage_account")
    )
    assert not any(one.values["password"] for one in estate.every("azuread_application"))
    assert not [one for one in estate.resources if "password" in one.type or "secret" in one.type]
    for kind in ("azurerm_linux_function_app", "azurerm_linux_web_app"):
        for one in estate.every(kind) + estate.every(f"{kind}_slot"):
            assert one.values["ftp_publish_basic_authentication_enabled"] is False
            assert one.values["webdeploy_publish_basic_authentication_enabled"] is False
            assert not [
                name
                for name in one.values["app_settings"]
                if "SECRET" in name.upper() or "PASSWORD" in name.upper()
            ]


def test_one_entra_application_a_slot(private: Estate) -> None:
    """Redirects are our host names, versions and claims are set, an application is never admin."""
    applications = {
        slot: private.at(f'module.identity.azuread_application.this["{slot}"]').values
        for slot in ("production", "staging")
    }

    for slot, one in applications.items():
        (web,) = one["web"]
        (api,) = one["api"]
        roles = {role["value"]: role["allowed_member_types"] for role in one["app_role"]}
        (claims,) = one["optional_claims"]
        credential = private.at(
            f'module.identity.azuread_application_federated_identity_credential.this["{slot}"]'
        )
        identity = private.at(f'module.identity.azurerm_user_assigned_identity.this["web-{slot}"]')

        assert web["redirect_uris"] == [f"{private.outputs['public_urls'][slot]}/auth/callback"]
        assert api["requested_access_token_version"] == 2
        assert roles == {"admin": ["User"], "service": ["Application"], "user": ["User"]}
        assert [claim["name"] for claim in claims["access_token"]] == ["idtyp"]
        assert credential.values["subject"] == identity.values["principal_id"]
    command_line = private.at("module.identity.azuread_application.command_line[0]").values
    assert not command_line["web"]
    assert [one["redirect_uris"] for one in command_line["public_client"]] == [["http://localhost"]]
    assert command_line["fallback_public_client_enabled"]
    assert not command_line["password"]
    assert all(
        one.values["app_role_assignment_required"]
        for one in private.every("azuread_service_principal")
        if "command_line" not in one.address
    )


def test_every_role_is_asked_for_by_a_row_of_the_table(estate: Estate) -> None:
    """Assignments are the table's rows times the slots: none missing, none more."""
    # Who reads packages is said in bootstrap, which owns them; a role of our own is handed over.
    rows = {
        name: row
        for name, row in table("roles").items()
        if row["scope"] != "packages_container" and "actions" not in row
    }
    accounts = len(estate.every("azurerm_cognitive_account"))
    wanted = sorted(
        row["role"]
        for row in rows.values()
        for _ in row["identities"]
        for _ in range(2 * (accounts if row["scope"] == "model_account" else 1))
    )
    given = [one.values["role_definition_name"] for one in estate.every("azurerm_role_assignment")]
    given += [
        "Cosmos DB Built-in Data Contributor"
        for one in estate.every("azurerm_cosmosdb_sql_role_assignment")
        if one.values["role_definition_id"].endswith("-000000000002")
    ]

    assert sorted(given) == wanted
    assert {one.values["principal_type"] for one in estate.every("azurerm_role_assignment")} == {
        "ServicePrincipal"
    }


def test_every_slot_has_two_keys_that_sign_and_renew_themselves(private: Estate) -> None:
    """One signs seals and one evidence: on a curve, in the vault's hardware, for nothing else."""
    keys = {
        one.name: one.values["body"]["properties"]
        for one in private.every("azapi_resource")
        if "/vaults/keys@" in one.values["type"]
    }

    assert keys.keys() == {
        f"{kind}-{slot}"
        for kind in ("audit-seal", "estate-evidence")
        for slot in ("production", "staging")
    }
    for key in keys.values():
        assert (key["kty"], key["curveName"], key["keyOps"]) == (
            "EC-HSM",
            "P-256",
            ["sign", "verify"],
        )
        (action,) = key["rotationPolicy"]["lifetimeActions"]
        assert action == {"action": {"type": "Rotate"}, "trigger": {"timeAfterCreate": "P1Y"}}


def test_a_slot_cannot_touch_the_other_slots_data(private: Estate) -> None:
    """Databases, seal keys and containers of a slot are opened to that slot's identities only."""
    principals = {
        one.values["principal_id"]: one.address.rpartition("-")[2].removesuffix('"]')
        for one in private.every("azurerm_user_assigned_identity")
    }
    checked = 0
    for one in private.resources:
        if one.type in ("azurerm_role_assignment", "azurerm_cosmosdb_sql_role_assignment"):
            scope = one.values["scope"]
            for slot in ("production", "staging"):
                if scope.endswith(f"-{slot}"):
                    assert principals[one.values["principal_id"]] == slot, one.address
                    checked += 1

    assert checked == 22


def test_settings_are_the_tables(estate: Estate) -> None:
    """Each application has the settings of its table, the timers of staging are off and stay so."""
    settings, jobs = table("settings"), table("jobs")
    off = {f"AzureWebJobs.{name}.Disabled" for name in jobs}

    for app, kind in (("web", "linux_web_app"), ("functions", "linux_function_app")):
        names = {
            name for name, one in settings.items() if app in one["apps"] and not one.get("optional")
        }
        sticky = {name for name in names if settings[name]["sticky"]}
        parent = estate.at(f"module.app.azurerm_{kind}.this").values
        slot = estate.at(f"module.app.azurerm_{kind}_slot.staging").values
        (kept,) = parent["sticky_settings"]
        timers = off if app == "functions" else set()

        assert set(parent["app_settings"]) == names
        assert set(slot["app_settings"]) == names | timers
        assert set(kept["app_setting_names"]) == sticky | timers
        differing = {
            name for name in names if parent["app_settings"][name] != slot["app_settings"][name]
        }
        assert differing <= sticky


def test_packages_are_fetched_by_identity_and_never_built(private: Estate) -> None:
    """The function app runs from a package, its own identity's; the web application cannot."""
    for kind, slot in (("", "production"), ("_slot", "staging")):
        name = "staging" if kind else "this"
        web = private.at(f"module.app.azurerm_linux_web_app{kind}.{name}")
        functions = private.at(f"module.app.azurerm_linux_function_app{kind}.{name}")
        identity = private.at(
            f'module.identity.azurerm_user_assigned_identity.this["functions-{slot}"]'
        )
        given = functions.values["app_settings"]

        assert given["WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID"] == identity.id
        assert not [name for name in web.values["app_settings"] if "RUN_FROM" in name]
        for one in (web, functions):
            assert one.values["app_settings"]["SCM_DO_BUILD_DURING_DEPLOYMENT"] == "false"
        assert int(web.values["app_settings"]["WEBSITES_CONTAINER_STOP_TIME_LIMIT"]) >= 30


def test_each_slot_names_its_own_containers(private: Estate) -> None:
    """What the settings name is there, under that name, and is the slot's."""
    there = {one.name for one in private.every("azurerm_storage_container")}

    for kind in ("linux_web_app", "linux_function_app"):
        for slot, name in (("production", f"{kind}.this"), ("staging", f"{kind}_slot.staging")):
            given = private.at(f"module.app.azurerm_{name}").values["app_settings"]
            assert given["SECURE_OPENAI_SEALS_CONTAINER"] == f"seals-{slot}"
            assert given["SECURE_OPENAI_EXPORTS_CONTAINER"] == f"exports-{slot}"
            assert given["SECURE_OPENAI_ATTACHMENTS_CONTAINER"] == f"attachments-{slot}"
            assert {f"seals-{slot}", f"exports-{slot}", f"attachments-{slot}"} <= there


def test_containers_are_the_tables(estate: Estate) -> None:
    """Each database has the containers of the table, and no text is indexed."""
    containers = table("containers")

    found = estate.every("azurerm_cosmosdb_sql_container")
    assert len(found) == 2 * len(containers)
    for one in found:
        row = containers[one.values["name"]]
        (indexing,) = one.values["indexing_policy"]
        assert one.values["partition_key_paths"] == [row["partition_key"]]
        assert one.values["default_ttl"] == row["default_ttl"]
        assert [path["path"] for path in indexing["excluded_path"]] == ["/*"]
        assert [path["path"] for path in indexing["included_path"]] == row["indexed"]


def test_everything_is_tagged_and_observed(estate: Estate) -> None:
    """Whatever takes tags has ours; whatever logs sends its logs to the workspace."""
    watched = {
        one.values["target_resource_id"]
        for one in estate.every("azurerm_monitor_diagnostic_setting")
    }

    for one in estate.resources:
        if "tags" in one.values and not one.type.startswith(("azuread_", "azapi_")):
            assert one.values["tags"]["application"] == "azure-secure-openai", one.address
    for kind in (
        "azurerm_cognitive_account",
        "azurerm_cosmosdb_account",
        "azurerm_key_vault",
        "azurerm_linux_function_app",
        "azurerm_linux_function_app_slot",
        "azurerm_linux_web_app",
        "azurerm_linux_web_app_slot",
        "azurerm_log_analytics_workspace",
        "azurerm_network_security_group",
        "azurerm_public_ip",
        "azurerm_service_plan",
        "azurerm_virtual_network",
    ):
        for one in estate.every(kind):
            assert one.id in watched, one.address
    for account in estate.every("azurerm_storage_account"):
        assert f"{account.id}/blobServices/default" in watched


def test_model_deployments_are_pinned_and_filtered(estate: Estate) -> None:
    """No deployment upgrades itself, and each has the filter with its prompt shields."""
    deployments = estate.every("azurerm_cognitive_deployment")

    assert deployments
    for one in deployments:
        (model,) = one.values["model"]
        assert model["version"]
        assert one.values["version_upgrade_option"] == "NoAutoUpgrade"
        assert one.values["rai_policy_name"] == "secure-openai"
    for policy in estate.every("azurerm_cognitive_account_rai_policy"):
        filters = policy.values["content_filter"]
        assert {"Jailbreak", "Indirect Attack"} <= {one["name"] for one in filters}
        assert all(one["filter_enabled"] and one["block_enabled"] for one in filters)


def test_a_trial_is_the_same_estate_with_its_doors_open_to_a_list(applied: Applied) -> None:
    """Whoever is on the list comes in, nobody else; the applications stay in the network."""
    _, trial = applied("public")
    listed = "203.0.113.7"
    (cosmos,) = trial.every("azurerm_cosmosdb_account")
    applications = trial.at('module.network[0].azurerm_subnet.this["applications"]').id

    assert cosmos.values["ip_range_filter"] == [f"{listed}/32"]
    for account in trial.every("azurerm_storage_account"):
        (found,) = account.values["network_rules"]
        assert (found["default_action"], found["ip_rules"]) == ("Deny", [listed])
    for kind in ("azurerm_cognitive_account", "azurerm_key_vault"):
        for one in trial.every(kind):
            (found,) = one.values["network_acls"]
            assert (found["default_action"], found["ip_rules"]) == ("Deny", [f"{listed}/32"])
    for kind in ("azurerm_linux_web_app", "azurerm_linux_web_app_slot"):
        for one in trial.every(kind):
            (site,) = one.values["site_config"]
            assert site["ip_restriction_default_action"] == "Deny"
            assert site["scm_ip_restriction_default_action"] == "Deny"
            assert [rule["ip_address"] for rule in site["ip_restriction"]] == [f"{listed}/32"]
            assert one.values["virtual_network_subnet_id"] == applications
    for kind in ("azurerm_linux_function_app", "azurerm_linux_function_app_slot"):
        for one in trial.every(kind):
            assert one.values["public_network_access_enabled"] is False
    for one in trial.every("azurerm_log_analytics_workspace"):
        assert one.values["internet_ingestion_access_type"] == "Disabled"


def test_names_that_azure_keeps_end_with_the_suffix(private: Estate) -> None:
    """What is taken worldwide, or kept after deletion, gets another name when it is made again."""
    suffix = private.at("random_string.suffix").values["result"]
    kept = (
        "azurerm_cognitive_account",
        "azurerm_cosmosdb_account",
        "azurerm_key_vault",
        "azurerm_linux_function_app",
        "azurerm_linux_web_app",
        "azurerm_log_analytics_workspace",
        "azurerm_storage_account",
    )

    for kind in kept:
        assert private.every(kind)
        for one in private.every(kind):
            assert one.name.endswith(suffix), one.address


def test_who_is_given_what_is_watched_in_the_whole_subscription(private: Estate) -> None:
    """A role, a lock or a credential beside the estate is told too; the rest in its groups."""
    subscription = "/subscriptions/00000000-0000-0000-0000-000000000000"
    groups = {one.id for one in private.every("azurerm_resource_group")}
    scopes = {
        one.values["criteria"][0]["operation_name"]: set(one.values["scopes"])
        for one in private.every("azurerm_monitor_activity_log_alert")
    }

    for operation in (
        "Microsoft.Authorization/locks/delete",
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleDefinitions/write",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
    ):
        assert scopes.pop(operation) == {subscription}
    for operation in (
        "Microsoft.Insights/actionGroups/write",
        "Microsoft.Insights/activityLogAlerts/delete",
        "Microsoft.Insights/activityLogAlerts/write",
        "Microsoft.Insights/diagnosticSettings/delete",
        "Microsoft.Network/publicIPAddresses/write",
        "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/delete",
        "Microsoft.OperationalInsights/workspaces/write",
        "Microsoft.Web/sites/slots/config/write",
        "Microsoft.Web/sites/slots/write",
        "Microsoft.Web/sites/write",
    ):
        assert operation in scopes
    assert all(found == groups for found in scopes.values())


def test_what_goes_wrong_is_asked_of_the_logs_and_told(estate: Estate) -> None:
    """Each alert asks the workspace and tells the action group; production's seals are among it."""
    (workspace,) = estate.every("azurerm_log_analytics_workspace")
    (group,) = estate.every("azurerm_monitor_action_group")
    rules = {
        one.address.partition('["')[2].removesuffix('"]'): one
        for one in estate.every("azurerm_monitor_scheduled_query_rules_alert_v2")
    }

    assert rules.keys() == {
        "audit-unavailable",
        "job-failing",
        "pool-member-out",
        "quota-near-its-end",
        "requests-failing",
        "requests-refused",
        "seal-missing",
    }
    for one in rules.values():
        (criteria,) = one.values["criteria"]
        (action,) = one.values["action"]
        assert one.values["enabled"] is not False
        assert one.values["scopes"] == [workspace.id]
        assert action["action_groups"] == [group.id]
        # What is measured, and what it is told apart by, is a column of the answer.
        last = criteria["query"].rstrip().rpartition("\n")[2]
        for column in (
            criteria["metric_measure_column"],
            *(dimension["name"] for dimension in criteria["dimension"]),
        ):
            assert re.search(rf"\b{column}\b", last), one.address
    seals = rules["seal-missing"].values["criteria"][0]
    production = estate.at('module.store.azurerm_storage_container.seals["production"]')
    assert f"/{production.name}/" in seals["query"]
    assert (seals["operator"], seals["threshold"]) == ("LessThan", 1)


def test_the_workbook_draws_the_estates_own_workspace(estate: Estate) -> None:
    """It is valid JSON, and each chart asks that workspace."""
    (workspace,) = estate.every("azurerm_log_analytics_workspace")
    (book,) = estate.every("azurerm_application_insights_workbook")
    items = json.loads(book.values["data_json"])["items"]

    assert len(items) >= 8
    for one in items:
        assert one["content"]["crossComponentResources"] == [workspace.id]
        assert one["content"]["query"].startswith("AppMetrics\n")
    # Azure takes a GUID for a name, and an id in lower case.
    assert uuid.UUID(book.name)
    assert book.values["source_id"] == workspace.id.lower()


@pytest.fixture(scope="module")
def standing() -> Iterator[Workspace]:
    """Return the private environment, applied."""
    with Workspace(INFRA, var_files=[environment("private")]) as workspace:
        workspace.apply()
        yield workspace


def test_a_key_chosen_too_late_is_refused(standing: Workspace) -> None:
    """Cosmos DB would be made anew, empty: it is not planned, and the way to mean it is said."""
    standing.variables = {"customer_managed_key": CUSTOMER_KEY}
    with pytest.raises(SimulationError) as refused:
        standing.plan()

    said = " ".join(str(refused.value).split())
    assert "Cosmos DB was made with Microsoft's key, and cannot be given another" in said
    assert "-replace=module.store.terraform_data.key" in said


def test_public_and_back_opens_doors_and_closes_them(standing: Workspace) -> None:
    """Opening for a trial and closing again changes doors in place: nothing is made, none goes."""
    opened = {"public_network_access_enabled": True, "address_allow_list": ["203.0.113.7/32"]}
    doors = {
        "module.app.azurerm_linux_web_app.this",
        "module.app.azurerm_linux_web_app_slot.staging",
        'module.model.azurerm_cognitive_account.this["main"]',
        'module.model.azurerm_cognitive_account.this["second"]',
        "module.store.azurerm_cosmosdb_account.this",
        "module.store.azurerm_key_vault.this",
        "module.store.azurerm_storage_account.host",
        "module.store.azurerm_storage_account.records",
        "module.telemetry.azurerm_application_insights.this",
        "module.telemetry.azurerm_log_analytics_workspace.this",
    }

    standing.variables = opened
    opening = standing.plan()
    standing.apply()
    standing.variables = {}
    closing = standing.plan()
    standing.apply()

    for plan in (opening, closing):
        assert plan.changes == dict.fromkeys(doors, ("update",))
    assert standing.plan().is_empty


def test_it_is_destroyed_and_made_again(standing: Workspace) -> None:
    """Nothing that a destroyed estate leaves behind stands in the way of the next."""
    standing.variables = {}
    standing.destroy()
    standing.apply()

    assert standing.plan().is_empty
