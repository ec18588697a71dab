"""The stand-ins by themselves: every type they serve, and what they answer beside resources."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.posture.simulation import SimulationError, simulate
from secure_openai.posture.simulation.cloud import Cloud
from secure_openai.posture.simulation.marks import read
from secure_openai.posture.simulation.protocol import MESSAGES
from secure_openai.posture.simulation.provider import Provider
from secure_openai.posture.simulation.schema import PROVIDERS, Attribute, Block, load
from secure_openai.posture.simulation.values import (
    Value,
    decode,
    dynamic,
    empty,
    encode,
    holds_unknown,
    normal,
)
from tests.posture.simulation.conftest import GROUP, Write
from tests.posture.simulation.test_simulation import outputs

GUID = "11111111-1111-1111-1111-111111111111"


def example(attribute: Attribute) -> Value:
    """Return a value that the facts of an attribute allow."""
    facts = attribute.facts
    text: Value = facts.get("id_like", "x1")
    number: Value = 1
    if "values" in facts:
        text = number = facts["values"][0]
    if facts.get("guid"):
        text = GUID
    if "range" in facts:
        number = next(limit for limit in facts["range"] if limit is not None)
    if attribute.type is None:
        return {} if attribute.nesting == "single" else []
    return shaped(attribute.type, text, number)


def shaped(kind: Any, text: Value, number: Value) -> Value:
    """Return a value of a type."""
    simple = {"bool": True, "dynamic": dynamic({}), "number": number, "string": text}
    if isinstance(kind, str):
        return simple[kind]
    if kind[0] == "map":
        return {"key": shaped(kind[1], text, number)}
    if kind[0] == "object":
        return {name: shaped(part, text, number) for name, part in kind[1].items()}
    return [shaped(kind[1], text, number)]


def build(block: Block, *, full: bool) -> dict[str, Value]:
    """Return the smallest configuration of a block, or one with everything in it."""
    built = empty(block)
    for name, attribute in block.attributes.items():
        settable = attribute.optional and not attribute.computed and not attribute.write_only
        if attribute.required or (full and settable):
            built[name] = example(attribute)
    for name, nested in block.blocks.items():
        if nested.nesting != "single" and (nested.min_items or full):
            built[name] = [build(nested.block, full=full)] * max(1, nested.min_items)
    return built


def proposed(block: Block, config: dict[str, Value], prior: dict[str, Value]) -> dict[str, Value]:
    """Return what Terraform proposes on a second plan: what was computed stays."""
    merged: dict[str, Value] = {}
    for name, attribute in block.attributes.items():
        keep = config.get(name) is None and attribute.computed
        merged[name] = prior.get(name) if keep else config.get(name)
    for name, nested in block.blocks.items():
        value, before = config.get(name), prior.get(name)
        if isinstance(value, list) and isinstance(before, list):
            value = [
                proposed(nested.block, part, old)
                for part, old in zip(value, before, strict=True)
                if isinstance(old, dict)
            ] or value
        merged[name] = value
    return merged


@pytest.mark.parametrize("full", [False, True], ids=["smallest", "fullest"])
@pytest.mark.parametrize("name", PROVIDERS)
def test_every_type(name: str, full: bool) -> None:
    """Every resource type is created with an id, has nothing unknown left, and plans no change."""
    provider = Provider(load(name), Cloud())
    for kind in provider.schema.names("resource"):
        block = provider.schema.type(kind).block
        config = build(block, full=full)
        planned = provider.plan_resource_change(
            MESSAGES["PlanResourceChangeRequest"](
                type_name=kind,
                prior_state=encode(None),
                proposed_new_state=encode(config),
                config=encode(config),
            )
        )
        applied = provider.apply_resource_change(
            MESSAGES["ApplyResourceChangeRequest"](
                type_name=kind,
                prior_state=encode(None),
                planned_state=planned.planned_state,
                config=encode(config),
            )
        )
        state = decode(applied.new_state)
        again = provider.plan_resource_change(
            MESSAGES["PlanResourceChangeRequest"](
                type_name=kind,
                prior_state=applied.new_state,
                proposed_new_state=encode(proposed(block, config, state)),
                config=encode(config),
            )
        )

        assert not applied.diagnostics, kind
        assert not holds_unknown(state), kind
        assert kind == "random_bytes" or state["id"], kind
        assert normal(state) == normal(decode(again.planned_state)), kind
        assert not again.requires_replace, kind
        assert kind == "random_bytes" or ("id",) in read(applied.private), kind


@pytest.mark.parametrize("full", [False, True], ids=["smallest", "fullest"])
@pytest.mark.parametrize("name", PROVIDERS)
def test_every_data_source(name: str, full: bool) -> None:
    """Every data source answers with nothing unknown, and keeps what it was asked for."""
    provider = Provider(load(name), Cloud())
    for kind in provider.schema.names("data_source"):
        config = build(provider.schema.type(kind, "data_source").block, full=full)
        asked = MESSAGES["ReadDataSourceRequest"](type_name=kind, config=encode(config))
        state = decode(provider.read_data_source(asked).state)

        assert not holds_unknown(state), kind
        kept = {key: value for key, value in config.items() if isinstance(value, str)}
        assert kept == {key: state[key] for key in kept}, kind


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_ephemeral_resource(name: str) -> None:
    """Every ephemeral resource opens with nothing unknown."""
    provider = Provider(load(name), Cloud())
    for kind in provider.schema.names("ephemeral_resource"):
        config = build(provider.schema.type(kind, "ephemeral_resource").block, full=False)
        asked = MESSAGES["OpenEphemeralResourceRequest"](type_name=kind, config=encode(config))
        state = decode(provider.open_ephemeral_resource(asked).result)

        assert not holds_unknown(state), kind


def test_fault_of_ours_is_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in a stand-in reaches the user as one, with the resource that it struck."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(Provider, "_derived", fail)

    with pytest.raises(SimulationError, match="The simulation of azurerm_resource_group failed"):
        simulate(write(GROUP))


def test_data_sources(write: Write) -> None:
    """A data source answers for what it is asked for, whatever that is."""
    folder = write("""
data "azurerm_client_config" "this" {}
data "azuread_client_config" "this" {}
data "azurerm_subscription" "this" {}
data "azapi_client_config" "this" {}
data "azuread_application_published_app_ids" "this" {}
data "azuread_domains" "this" {}

data "azurerm_resource_group" "this" {
  name = "theirs"
}

data "azurerm_virtual_network" "this" {
  name                = "hub"
  resource_group_name = data.azurerm_resource_group.this.name
}

data "azuread_service_principal" "graph" {
  client_id = data.azuread_application_published_app_ids.this.result["MicrosoftGraph"]
}

data "azuread_group" "this" {
  display_name = "admins"
}

data "azurerm_role_definition" "this" {
  name = "Reader"
}

data "azapi_resource" "this" {
  type                   = "Microsoft.Web/sites@2024-04-01"
  name                   = "site"
  parent_id              = data.azurerm_resource_group.this.id
  response_export_values = ["*"]
}

output "same_tenant" {
  value = length(distinct([
    data.azurerm_client_config.this.tenant_id,
    data.azuread_client_config.this.tenant_id,
    data.azapi_client_config.this.tenant_id,
    data.azurerm_subscription.this.tenant_id,
  ])) == 1
}
output "subscription" {
  value = endswith(data.azurerm_subscription.this.id, data.azapi_client_config.this.subscription_id)
}
output "network" {
  value = endswith(data.azurerm_virtual_network.this.id,
  "/resourceGroups/theirs/providers/Microsoft.Network/virtualNetworks/hub")
}
output "spaces" {
  value = cidrsubnet(data.azurerm_virtual_network.this.address_space[0], 8, 1)
}
output "scope" {
  value = data.azuread_service_principal.graph.oauth2_permission_scope_ids["User.Read"]
}
output "location" {
  value = data.azurerm_resource_group.this.location
}
output "site" {
  value = data.azapi_resource.this.output.name
}
output "domain" {
  value = data.azuread_domains.this.domains[0].domain_name
}
""")

    with simulate(folder) as done:
        found = outputs(done)

    assert found == {
        "domain": "simulated.invalid",
        "location": "westeurope",
        "network": True,
        "same_tenant": True,
        "scope": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
        "site": "site",
        "spaces": "10.0.1.0/24",
        "subscription": True,
    }
    assert ("data.azurerm_resource_group.this", ("location",)) in done.invented
    assert ("data.azurerm_resource_group.this", ("name",)) not in done.invented
    assert done.replan_is_empty


FUNCTIONS = {
    'provider::azurerm::normalise_resource_id("/Subscriptions/s/resourcegroups/g")': (
        "/subscriptions/s/resourceGroups/g"
    ),
    'provider::azurerm::parse_resource_id("/subscriptions/s/resourceGroups/g/providers/N.P/a/b")'
    ".resource_type": "a",
    'provider::azapi::build_resource_id("/subscriptions/s/resourceGroups/g", "N.P/a", "b")': (
        "/subscriptions/s/resourceGroups/g/providers/N.P/a/b"
    ),
    'provider::azapi::build_resource_id("/subscriptions/s", "Microsoft.Resources/resourceGroups",'
    ' "g")': "/subscriptions/s/resourceGroups/g",
    'provider::azapi::extension_resource_id("/x/y", "N.P/a/b", ["c", "d"])': (
        "/x/y/providers/N.P/a/c/b/d"
    ),
    'provider::azapi::management_group_resource_id("m", "N.P/a", ["b"])': (
        "/providers/Microsoft.Management/managementGroups/m/providers/N.P/a/b"
    ),
    'provider::azapi::parse_resource_id("N.P/a", "/subscriptions/s/resourceGroups/g/providers/'
    'N.P/a/b").parent_id': "/subscriptions/s/resourceGroups/g",
    'provider::azapi::resource_group_resource_id("s", "g", "N.P/a", ["b"])': (
        "/subscriptions/s/resourceGroups/g/providers/N.P/a/b"
    ),
    "provider::azapi::snake2camel({ a_long_name = [{ b_c = 1 }] })": {"aLongName": [{"bC": 1}]},
    'provider::azapi::subscription_resource_id("s", "N.P/a", ["b"])': (
        "/subscriptions/s/providers/N.P/a/b"
    ),
    'provider::azapi::tenant_resource_id("N.P/a", ["b"])': "/providers/N.P/a/b",
    'length(provider::azapi::unique_string(["a", "b"]))': 13,
}


def test_functions(write: Write) -> None:
    """The functions of the providers compute what their documentation says."""
    lines = [f'output "o{n}" {{\n value = {call}\n}}' for n, call in enumerate(FUNCTIONS)]

    with simulate(write("\n".join(lines))) as done:
        found = outputs(done)

    assert [found[f"o{n}"] for n in range(len(FUNCTIONS))] == list(FUNCTIONS.values())


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ('provider::azurerm::parse_resource_id("nonsense")', '"nonsense" is not a resource ID'),
        ('provider::azapi::tenant_resource_id("N.P/a/b", ["c"])', "takes 2 names, not 1"),
    ],
)
def test_function_refuses(call: str, reason: str, write: Write) -> None:
    """A function names the argument that it cannot take."""
    with pytest.raises(SimulationError, match=reason):
        simulate(write(f'output "x" {{\n value = {call}\n}}'))


def test_ephemeral_values(write: Write) -> None:
    """An ephemeral secret is opened, used for a write-only argument, and kept nowhere."""
    folder = write("""
ephemeral "random_password" "this" {
  length = 12
}

ephemeral "azurerm_key_vault_secret" "this" {
  name         = "secret"
  key_vault_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
}

resource "azurerm_key_vault_secret" "this" {
  name             = "copy"
  key_vault_id     = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
  value_wo         = ephemeral.random_password.this.result
  value_wo_version = 1
}
""")

    with simulate(folder) as done:
        (secret,) = done.state["values"]["root_module"]["resources"]

    assert secret["values"]["value_wo"] is None


def test_random_values(write: Write) -> None:
    """Random resources draw within their bounds, and never the same twice."""
    folder = write("""
resource "random_string" "this" {
  count       = 2
  length      = 12
  special     = false
  upper       = false
  min_numeric = 3
}
resource "random_integer" "this" {
  min = 5
  max = 7
}
resource "random_shuffle" "this" {
  input        = ["a", "b", "c"]
  result_count = 2
}
resource "random_id" "this" {
  byte_length = 4
  prefix      = "p-"
}
resource "random_password" "this" {
  length = 9
}
resource "random_bytes" "this" {
  length = 3
}
resource "random_uuid7" "this" {}
output "strings" {
  value = random_string.this[*].result
}
output "integer" {
  value = random_integer.this.result
}
output "shuffled" {
  value = random_shuffle.this.result
}
output "id" {
  value = random_id.this.hex
}
output "password" {
  value     = random_password.this.result
  sensitive = true
}
""")

    with simulate(folder) as done:
        found = outputs(done)

    one, other = found["strings"]
    assert one != other
    assert len(one) == 12
    assert one.isalnum()
    assert one == one.lower()
    assert sum(letter.isdigit() for letter in one) >= 3
    assert found["integer"] in {5, 6, 7}
    assert set(found["shuffled"]) < {"a", "b", "c"}
    assert found["id"].startswith("p-")
    assert len(found["password"]) == 9
    assert done.replan_is_empty
