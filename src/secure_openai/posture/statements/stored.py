"""Keys that are stored: in settings, outputs, vaults, machines and Entra applications."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from secure_openai.posture.applications import reference, settings_of
from secure_openai.posture.estate import UNKNOWN, Estate, Resource, leaves
from secure_openai.posture.printable import many
from secure_openai.posture.private_link import MACHINES, SITES
from secure_openai.posture.secrets import (
    LEAST,
    argument,
    copied,
    gives_out,
    last_name,
    named_values,
    published,
    script,
    setting,
    telling,
)
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Outcome,
    Seen,
    Severity,
    Statement,
    witnessed,
)
from secure_openai.posture.topology import Topology

_WRITTEN_SECRETS: Final = (
    "azuread_application_password",
    "azuread_service_principal_password",
    "azuread_application_certificate",
)
_VAULTED: Final = "azurerm_key_vault_secret"
_EXTENSION: Final = "azurerm_virtual_machine_extension"
_REMOVE: Final = "# remove it: the identity of the application is its credential"
# What a machine runs or starts with, by the argument that holds it.
_SCRIPTS: Final = (
    "commands", "commandToExecute", "custom_data", "custom_data_base64", "protected_settings", "script",
    "settings", "user_data", "user_data_base64",
)  # fmt: skip
_SHORTEST: Final = 4


def _stored(topology: Topology) -> Iterator[Outcome]:
    estate = topology.estate
    keys = published(estate)
    for app in topology.apps:
        count = len(settings_of(app))
        says = f"none of its {many(count, 'setting')} is a secret, and no other argument"
        yield from witnessed(_in_settings(estate, app, keys), Seen(app.address, says))
    for name, value in sorted(estate.outputs.items()):
        if value is UNKNOWN:
            yield Doubt(f"output.{name}", "the output is not known yet")
        elif any(_given_out(name, steps, one, keys) for steps, one in leaves(value)):
            says = f"output {name} holds a secret"
            yield Finding(f"output.{name}", "value", says, "# give out names, not secrets")
        else:
            yield Seen("", f"output {name} gives out no secret")
    for one in estate.every(_VAULTED):
        yield from _in_vault(one, keys)
    others = [
        one
        for one in estate.resources
        if one.type not in SITES and one.type != _VAULTED and one.type not in _WRITTEN_SECRETS
    ]
    clean = 0
    for one in others:
        found = list(_anywhere(estate, one, keys))
        clean += not found
        yield from found
    yield Seen("", f"{clean} of {many(len(others), 'other resource')} hold no secret")


def _in_settings(estate: Estate, app: Resource, keys: frozenset[str]) -> Iterator[Outcome]:
    if app.unsure("app_settings", "backup", "connection_string", "storage_account"):
        yield Doubt(app.address, "some of its settings are not known yet")
    yield from _given_later(app)
    marked = app.sensitive.get("app_settings")
    for name, value in sorted(settings_of(app).items()):
        hidden = isinstance(marked, dict) and marked.get(name) is True and _hidden(name, value)
        if reference(value) is None and (hidden or setting(name, value, keys)):
            yield Finding(
                app.address, f"app_settings.{name}", f"setting {name} holds a secret", _REMOVE
            )
    for block in app.blocks("connection_string"):
        if block.get("value") and reference(block.get("value")) is None:
            says = f"connection string {block.get('name')} holds a secret"
            yield Finding(app.address, "connection_string", says, _REMOVE)
    for block in app.blocks("storage_account"):
        if block.get("access_key"):
            says = f"share {block.get('name')} is opened with a key"
            yield Finding(app.address, "storage_account", says, _REMOVE)
    for steps, value in estate.leaves_of(app):
        if steps[0] in ("app_settings", "connection_string", "site_credential", "storage_account"):
            continue
        if isinstance(value, str) and (
            argument(app, steps, value) or copied(value, keys) or telling(value)
        ):
            path = ".".join(map(str, steps))
            yield Finding(app.address, path, f"{path} holds a secret", _REMOVE)


def _hidden(name: str, value: object) -> bool:
    """Return whether a setting that Terraform marks as sensitive is more than an address of telemetry."""
    return (
        isinstance(value, str)
        and len(value) >= LEAST
        and not value.startswith("https://")
        and not name.startswith(("APPLICATIONINSIGHTS_", "APPINSIGHTS_"))
    )


def _given_out(
    name: str, steps: tuple[str | int, ...], value: object, keys: frozenset[str]
) -> bool:
    inner = next((one for one in reversed(steps) if isinstance(one, str)), name)
    plain = isinstance(value, str) and value.startswith("/")
    return setting("" if plain else inner, value, keys)


def _in_vault(one: Resource, keys: frozenset[str]) -> Iterator[Outcome]:
    value = one.get("value")
    if value is UNKNOWN or (
        not value and (one.values.get("value_wo_version") or one.unsure("value_wo"))
    ):
        yield Doubt(one.address, "its value is written by Terraform and cannot be seen")
    elif isinstance(value, str) and value:
        taken = copied(value, keys)
        says = (
            "a service's key is copied into the vault"
            if taken
            else "its value stands in Terraform's state"
        )
        yield Finding(one.address, "value", says, _REMOVE, None if taken else Severity.MEDIUM)


def _anywhere(estate: Estate, one: Resource, keys: frozenset[str]) -> Iterator[Outcome]:
    """Yield where a resource of any type holds a copy of a key, or an argument that is a secret."""
    found = [
        steps
        for steps, value in estate.leaves_of(one)
        if isinstance(value, str)
        and len(value) >= _SHORTEST
        and not (isinstance(steps[-1], str) and steps[-1].endswith("_id"))
        and _holds(one, steps, value, keys)
    ]
    found += [
        steps
        for steps, name, value in named_values(estate.leaves_of(one))
        if reference(value) is None and setting(name, value, keys)
    ]
    for steps in dict.fromkeys(found):
        path = ".".join(map(str, steps))
        yield Finding(one.address, path, f"{path} holds a secret", _REMOVE)
    for name in _SCRIPTS:
        if one.type in MACHINES and one.unsure(name):
            yield Doubt(one.address, f"{name} is not known yet")
    yield from _given_later(one)


def _given_later(one: Resource) -> Iterator[Outcome]:
    for steps in sorted(one.unknown, key=str):
        if argument(one, steps, "later"):
            yield Doubt(one.address, f"{'.'.join(map(str, steps))} is not known yet")


def _holds(one: Resource, steps: tuple[str | int, ...], value: str, keys: frozenset[str]) -> bool:
    name = last_name(steps)
    machine = one.type in MACHINES or one.type == _EXTENSION
    if name in _SCRIPTS and (machine or name not in ("settings", "script")):
        return script(value, keys)
    if one.type in MACHINES and name == "admin_password":
        # KEYS-09 says so.
        return False
    if argument(one, steps, value):
        return True
    return not gives_out(one, steps, value) and (copied(value, keys) or telling(value))


def _written(topology: Topology) -> Iterator[Outcome]:
    mend = 'resource "azuread_application_federated_identity_credential" "this" {}'
    for one in topology.estate.every(*_WRITTEN_SECRETS):
        yield Finding(one.address, "", "the application has a secret that can be stolen", mend)
    for one in topology.estate.every("azuread_application"):
        if one.blocks("password"):
            yield Finding(
                one.address, "password", "the application has a secret that can be stolen", mend
            )
        elif ("password",) in one.unknown:
            yield Doubt(one.address, "whether it has a secret is not known yet")
        else:
            yield Seen(one.address, "it has no block of passwords")


STATEMENTS: Final = (
    Statement(
        "KEYS-07",
        "No secret is stored in settings, outputs or a vault",
        Severity.CRITICAL,
        "What is stored is read by everybody who may read the portal, the state or a log.",
        ("MCSB IM-8",),
        _stored,
        (*SITES, _VAULTED, _EXTENSION),
    ),
    Statement(
        "KEYS-08",
        "No Entra application has a secret",
        Severity.CRITICAL,
        "With an application's secret anybody signs people in, in its name.",
        ("MCSB IM-3", "MCSB IM-8"),
        _written,
        ("azuread_application", *_WRITTEN_SECRETS),
    ),
)  # fmt: skip
