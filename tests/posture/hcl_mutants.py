"""Faults written into the Terraform itself, each with the statement that must see it, and where.

They are the faults that private deployments die of. What a state's mutant only claims, that such an
attribute comes of such a line, is shown here: the folder is changed, applied and proven.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.infra.estate import INFRA, ROOT, environment

KEY = "ssh-rsa " + "AAAAB3NzaC1yc2EAAAADAQABAAABgQC7" + "a" * 340 + "= operator"
GROUP = "44444444-4444-4444-4444-444444444444"


@dataclass(frozen=True)
class HclMutant:
    """A fault in the configuration.

    Attributes:
        name: What went wrong, in the words of whoever finds it.
        statement: The statement that must see it.
        address: The resource that it must be seen at.
        edits: Files below `infra`, with the text that is replaced, once, and what replaces it.
        variables: Variables beside the private environment's.
    """

    name: str
    statement: str
    address: str
    edits: tuple[tuple[str, str, str], ...]
    variables: Mapping[str, Any] = field(default_factory=dict)


def write(mutants: Iterable[HclMutant], target: Path) -> tuple[Path, list[Path]]:
    """Write the configuration with faults; return its folder and its files of variables.

    Raises:
        AssertionError: A text to replace is not there exactly once.
    """
    folder = target / "infra"
    shutil.copytree(INFRA, folder, ignore=shutil.ignore_patterns(".terraform*"))
    # The tables are read from beside the folder; nothing further up is.
    (target / "src").symlink_to(ROOT / "src")
    (target / ".git").touch()
    variables: dict[str, Any] = {}
    for mutant in mutants:
        for name, old, new in mutant.edits:
            text = (folder / name).read_text(encoding="utf-8")
            assert text.count(old) == 1, f"{mutant.name}: {text.count(old)} times in {name}: {old}"
            (folder / name).write_text(text.replace(old, new), encoding="utf-8")
        assert not variables.keys() & mutant.variables.keys(), mutant.name
        variables |= mutant.variables
    more = folder / "mutant.tfvars.json"
    more.write_text(json.dumps(variables), encoding="utf-8")
    return folder, [environment("private"), more]


MUTANTS = (
    HclMutant(
        "a zone linked to nothing",
        "NAMES-03",
        'module.network[0].azurerm_private_dns_zone.this["privatelink.documents.azure.com"]',
        (
            (
                "modules/network/dns.tf",
                'for_each = local._names_of_zones\n\n  name                 = "link-',
                "for_each = setsubtract(local._names_of_zones, "
                '["privatelink.documents.azure.com"])\n\n  name                 = "link-',
            ),
        ),
    ),
    HclMutant(
        "another cloud's zone",
        "NAMES-02",
        'module.network[0].azurerm_private_dns_zone.this["privatelink.documents.azure.com"]',
        (
            (
                "modules/network/dns.tf",
                "name                = each.key\n",
                'name = replace(each.key, "documents.azure.com", "documents.azure.us")\n',
            ),
        ),
    ),
    HclMutant(
        "an endpoint for another subresource",
        "REACH-04",
        "module.store.azurerm_cosmosdb_account.this",
        (
            (
                "modules/store/cosmos.tf",
                '["Sql"]\n    is_manual_connection           = false\n  }\n'
                "  private_dns_zone_group",
                '["MongoDB"]\n    is_manual_connection           = false\n  }\n'
                "  private_dns_zone_group",
            ),
        ),
    ),
    HclMutant(
        "a connection that waits for approval",
        "REACH-04",
        'module.model.azurerm_cognitive_account.this["main"]',
        (
            (
                "modules/model/accounts.tf",
                "is_manual_connection           = false\n  }\n  private_dns_zone_group",
                'is_manual_connection = true\n    request_message = "please"\n  }\n'
                "  private_dns_zone_group",
            ),
        ),
    ),
    HclMutant(
        "a slot with a door of its own",
        "REACH-01",
        "module.app.azurerm_linux_web_app_slot.staging",
        (
            (
                "modules/app/web.tf",
                'var.identities["web-staging"].id\n'
                "  public_network_access_enabled                  = local.public\n",
                'var.identities["web-staging"].id\n  public_network_access_enabled = true\n',
            ),
        ),
    ),
    HclMutant(
        "Cosmos DB open to every customer of Azure",
        "REACH-02",
        "module.store.azurerm_cosmosdb_account.this",
        (
            (
                "modules/store/cosmos.tf",
                "ip_range_filter                    = var.address_allow_list",
                'ip_range_filter = ["0.0.0.0"]',
            ),
        ),
    ),
    HclMutant(
        "a jump machine with a public address",
        "REACH-08",
        'module.operations.azurerm_network_interface.machine["jump"]',
        (
            (
                "modules/operations/machines.tf",
                'private_ip_address_allocation = "Dynamic"\n  }\n}\n',
                'private_ip_address_allocation = "Dynamic"\n'
                "    public_ip_address_id          = azurerm_public_ip.jump.id\n  }\n}\n\n"
                'resource "azurerm_public_ip" "jump" {\n'
                '  name                = "pip-jump"\n'
                "  resource_group_name = var.resource_group_name\n"
                "  location            = var.location\n"
                '  allocation_method   = "Static"\n}\n',
            ),
        ),
        {
            "operations": {
                "bastion": {},
                "jump_machine": {"administrators": [GROUP], "ssh_public_key": KEY},
            }
        },
    ),
    HclMutant(
        "a security group attached to nothing",
        "REACH-07",
        'module.network[0].azurerm_subnet.this["endpoints"]',
        (
            (
                "modules/network/subnets.tf",
                'resource "azurerm_subnet_network_security_group_association" "this" {\n'
                "  for_each = local.subnets\n",
                'resource "azurerm_subnet_network_security_group_association" "this" {\n'
                '  for_each = setsubtract(local.subnets, ["endpoints"])\n',
            ),
        ),
    ),
    HclMutant(
        "rules that do not count for endpoints",
        "REACH-07",
        'module.network[0].azurerm_subnet.this["endpoints"]',
        (
            (
                "modules/network/subnets.tf",
                'private_endpoint_network_policies = "Enabled"',
                'private_endpoint_network_policies = "Disabled"',
            ),
        ),
    ),
    HclMutant(
        "DNS servers of one's own",
        "NAMES-06",
        "module.network[0].azurerm_virtual_network.this",
        (
            (
                "modules/network/vnet.tf",
                "dns_servers         = var.dns_servers",
                'dns_servers         = ["10.9.9.9"]',
            ),
        ),
    ),
    HclMutant(
        "publishing by password",
        "KEYS-05",
        "module.app.azurerm_linux_web_app.this",
        (
            (
                "modules/app/web.tf",
                "webdeploy_publish_basic_authentication_enabled = false\n"
                "  tags                                           = var.tags\n\n"
                '  identity {\n    type         = "UserAssigned"\n'
                '    identity_ids = [var.identities["web-production"].id]',
                "webdeploy_publish_basic_authentication_enabled = true\n"
                "  tags                                           = var.tags\n\n"
                '  identity {\n    type         = "UserAssigned"\n'
                '    identity_ids = [var.identities["web-production"].id]',
            ),
        ),
    ),
    HclMutant(
        "a model account that takes keys",
        "KEYS-03",
        'module.model.azurerm_cognitive_account.this["main"]',
        (
            (
                "modules/model/accounts.tf",
                "local_auth_enabled                 = false",
                "local_auth_enabled                 = true",
            ),
        ),
    ),
    HclMutant(
        "a key in the settings, by way of two modules",
        "KEYS-07",
        "module.app.azurerm_linux_web_app.this",
        (
            (
                "modules/store/outputs.tf",
                "url          = azurerm_cosmosdb_account.this.endpoint",
                "url          = azurerm_cosmosdb_account.this.endpoint\n"
                "    note         = nonsensitive(azurerm_cosmosdb_account.this.primary_key)",
            ),
            (
                "app-settings.tf",
                '      for slot in ["production", "staging"] : slot => {\n        for name, one',
                '      for slot in ["production", "staging"] : slot => merge('
                "{ NOTE = module.store.cosmos.note }, {\n        for name, one",
            ),
            (
                "app-settings.tf",
                "if contains(one.apps, app)\n      }\n",
                "if contains(one.apps, app)\n      })\n",
            ),
        ),
    ),
    HclMutant(
        "a role on another's scope",
        "ROLES-02",
        'azurerm_role_assignment.need["host_blobs-functions-production"]',
        (
            (
                "roles.tf",
                "module.store.host_storage.id",
                "module.store.records.id",
            ),
        ),
    ),
    HclMutant(
        "contributor where a data role would do",
        "ROLES-03",
        'azurerm_role_assignment.need["complete-web-production-main"]',
        (
            (
                "roles.tf",
                "role_definition_name = each.value.role",
                'role_definition_name = each.value.service == "model" ? "Contributor" '
                ": each.value.role",
            ),
        ),
    ),
    HclMutant(
        "a federated credential for a client id",
        "ROLES-05",
        'module.identity.azuread_application_federated_identity_credential.this["production"]',
        (
            (
                "modules/identity/applications.tf",
                'this["web-${each.key}"].principal_id',
                'this["web-${each.key}"].client_id',
            ),
        ),
    ),
    HclMutant(
        "blobs that are gone once deleted",
        "KEEP-02",
        "module.store.azurerm_storage_account.records",
        (
            (
                "modules/store/records-storage.tf",
                "    delete_retention_policy {\n      days = 30\n    }\n"
                "    container_delete",
                "    container_delete",
            ),
        ),
    ),
    HclMutant(
        "a database that leaves no log",
        "SEE-01",
        "module.store.azurerm_cosmosdb_account.this",
        (
            (
                "modules/store/cosmos.tf",
                'resource "azurerm_monitor_diagnostic_setting" "cosmos" {\n',
                'resource "azurerm_monitor_diagnostic_setting" "cosmos" {\n  count = 0\n\n',
            ),
        ),
    ),
)  # fmt: skip
