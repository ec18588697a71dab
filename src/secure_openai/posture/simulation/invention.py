"""What only Azure could say, invented: ids, GUIDs, names, addresses and keys, and nothing else.

A setting is never invented: where Azure would choose one, the value stays null. Every invention is
a fixed function of the resource, and its path is noted, so that a proof can refuse it as evidence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from secure_openai.posture.simulation.cloud import Cloud, guid
from secure_openai.posture.simulation.endpoints import INVALID, address, site
from secure_openai.posture.simulation.ids import identify, object_id, segments
from secure_openai.posture.simulation.marks import SECRET_PREFIX, Path
from secure_openai.posture.simulation.schema import Attribute, Block, Type
from secure_openai.posture.simulation.values import Value, is_unknown, normal

_NAMES: Final = frozenset(
    {"display_name", "name", "principal_display_name", "resource_display_name"}
)

_OPTIONAL_GUIDS: Final = frozenset(
    {"job_schedule_id", "key_id", "lighthouse_definition_id", "name", "role_definition_id"}
)
"""Arguments that Azure fills with a new GUID when they are left out."""

_ADDRESSES: Final = ("endpoint", "host", "hostname", "host_name", "fqdn", "uri", "url")
_IDENTIFIERS: Final = frozenset(
    {
        "app_id",
        "client_id",
        "credential_id",
        "custom_domain_verification_id",
        "guid",
        "immutable_id",
        "instrumentation_key",
        "key_id",
        "object_id",
        "principal_object_id",
        "resource_guid",
        "service_principal_object_id",
        "unique_id",
        "unique_identifier",
        "virtual_machine_id",
        "workspace_id",
    }
)
"""Attributes that hold a GUID of the resource's own. Any other computed `…_id` names another
resource, and that is a setting."""

_COLLECTIONS: Final = frozenset({"custom_dns_configs", "network_interface", "site_credential"})
_FIRST: Final = ("name", "app_id", "instrumentation_key", "id")


@dataclass(eq=False)
class Invention:
    """The invention of one resource's computed values.

    Attributes:
        marks: The paths invented so far.
    """

    cloud: Cloud
    type: Type
    seed: str
    marks: list[Path] = field(default_factory=list)

    def complete(self, state: dict[str, Value], overrides: dict[str, Value] | None = None) -> None:
        """Replace every unknown in a state, in place.

        Args:
            state: What was planned.
            overrides: Values that are known to belong there, by attribute.
        """
        for name, value in (overrides or {}).items():
            if is_unknown(state.get(name)):
                state[name] = value
                self._mark((name,), value)
        block = self.type.block
        # Other inventions are built from these.
        order = sorted(
            block.attributes.values(),
            key=lambda a: _FIRST.index(a.name) if a.name in _FIRST else len(_FIRST),
        )
        self._object(block, order, state, state, ())

    def _object(
        self,
        block: Block,
        order: Iterable[Attribute],
        state: dict[str, Value],
        root: dict[str, Value],
        path: Path,
    ) -> None:
        for attribute in order:
            value = state.get(attribute.name)
            if is_unknown(value):
                value = self._invent(attribute, state, root, path)
                state[attribute.name] = value
                self._mark((*path, attribute.name), value)
            elif attribute.nested:
                self._nested(attribute.nested, value, root, (*path, attribute.name))
        for name, nested in block.blocks.items():
            if is_unknown(state.get(name)):
                state[name] = [] if nested.nesting in {"list", "set"} else None
            else:
                self._nested(nested.block, state.get(name), root, (*path, name))

    def _nested(self, block: Block, value: Value, root: dict[str, Value], path: Path) -> None:
        if isinstance(value, dict):
            self._object(block, block.attributes.values(), value, root, path)
        elif isinstance(value, list):
            for position, part in enumerate(value):
                if isinstance(part, dict):
                    inner = (*path, position)
                    self._object(block, block.attributes.values(), part, root, inner)

    def _mark(self, path: Path, value: Value) -> None:
        if value not in (None, [], {}):
            self.marks.append(path)

    def _invent(
        self, attribute: Attribute, state: dict[str, Value], root: dict[str, Value], path: Path
    ) -> Value:
        kind = attribute.type
        if kind == "string":
            return self._text(attribute, state, root, path)
        if isinstance(kind, list) and kind[0] in {"list", "set"}:
            return self._collection(attribute, root, path)
        if isinstance(kind, list) and kind[0] == "map":
            return {}
        return None

    def _collection(self, attribute: Attribute, root: dict[str, Value], path: Path) -> Value:
        member = attribute.type[1]
        name = attribute.name
        if attribute.optional:
            return []
        if member == "string" and (name.endswith(("ip_addresses", "ip_address_list"))):
            return [self._ip(path)]
        if member == "string" and name.endswith("endpoints"):
            known = address(self.cloud, self.type.name, "endpoint", root)
            return [known] if known else []
        if isinstance(member, list) and member[0] == "object" and name in _COLLECTIONS:
            return [self._member(attribute, member[1], root, path)]
        return []

    def _member(
        self, attribute: Attribute, fields: dict[str, Any], root: dict[str, Value], path: Path
    ) -> dict[str, Value]:
        """Return the one object of a collection that a configuration is known to index."""
        inner = (*path, attribute.name)
        value: dict[str, Value] = {}
        for name, kind in fields.items():
            part = _computed(name, kind, sensitive=attribute.sensitive)
            value[name] = self._invent(part, value, root, inner)
        return value

    def _text(
        self, attribute: Attribute, state: dict[str, Value], root: dict[str, Value], path: Path
    ) -> str | None:
        name = attribute.name
        if attribute.facts.get("guid") and (not attribute.optional or name in _OPTIONAL_GUIDS):
            return self._guid(*path, name)
        rule = self._FIXED.get(name)
        if rule:
            return rule(self, state, root, path)
        known = None if path else address(self.cloud, self.type.name, name, root)
        if known is not None:
            return known or None
        if attribute.optional:
            return self._optional(name, path)
        return self._computed(attribute, state, root, path)

    def _optional(self, name: str, path: Path) -> str | None:
        """Return what Azure makes up when it is not given: a name or an address, never a choice."""
        if name in {"name", "mail_nickname"} and not path:
            return self._label()
        return self._ip(path) if name in {"private_ip_address", "ip_address"} else None

    def _computed(
        self, attribute: Attribute, state: dict[str, Value], root: dict[str, Value], path: Path
    ) -> str | None:
        name = attribute.name
        if name in _IDENTIFIERS:
            own = name == "object_id" and not path
            return object_id(root["id"]) if own else self._guid(*path, name)
        if attribute.sensitive:
            return self._secret(name, root, path)
        if name == "principal_id":
            return self._identity(state, self._guid(*path, name))
        if name in _NAMES:
            return self._label()
        return self._place(name, root, path)

    def _place(self, name: str, root: dict[str, Value], path: Path) -> str | None:
        if name.endswith("ip_address"):
            return self._ip(path)
        # Below the top an address is a setting, and so is every address of an Entra object.
        top = not path or path[0] in _COLLECTIONS
        if top and name.endswith(_ADDRESSES) and self.type.name.startswith("azurerm_"):
            return self._address(name, root)
        return None

    def _identity(self, state: dict[str, Value], value: str) -> str | None:
        """Return an identity's value: Azure gives one only to an identity that it makes itself."""
        kind = state.get("type")
        if "identity_ids" in state and isinstance(kind, str) and "SystemAssigned" not in kind:
            return None
        return value

    def _id(self, state: dict[str, Value], root: dict[str, Value], path: Path) -> str:
        if not path:
            return identify(self.cloud, self.type.name, self.type.id_template, state, self.seed)
        if path[-1] == "network_interface":
            group = "/".join(f"{key}/{value}" for key, value in segments(str(root["id"]))[:2])
            return f"/{group}/providers/Microsoft.Network/networkInterfaces/{self._label()}"
        words = str(next(part for part in reversed(path) if isinstance(part, str))).split("_")
        collection = words[0] + "".join(map(str.capitalize, words[1:]))
        return f"{root.get('id')}/{collection}/{state.get('name') or self._guid(*path)}"

    _FIXED: ClassVar[Mapping[str, Callable[..., str | None]]] = {
        "application_tenant_id": lambda self, state, *_: self._identity(
            state, self.cloud.tenant_id
        ),
        "id": _id,
        "subscription_id": lambda self, *_: self.cloud.subscription_id,
        "tenant_id": lambda self, state, *_: self._identity(state, self.cloud.tenant_id),
    }

    def _secret(self, name: str, root: dict[str, Value], path: Path) -> str | None:
        # An account without local authentication has no keys to list.
        if root.get("local_auth_enabled") is False:
            return None
        stem = self.type.name.removeprefix("azurerm_").replace("_", "-")
        digest = hashlib.sha256(f"{self.seed}{path}{name}".encode()).hexdigest()[:16]
        return f"{SECRET_PREFIX}{stem}-{name.replace('_', '-')}-{digest}"

    def _address(self, name: str, root: dict[str, Value]) -> str:
        if name == "hostname" and isinstance(root.get("name"), str) and "app" in self.type.name:
            return site(self.cloud, root)
        label = root.get("name") if isinstance(root.get("name"), str) else self._label()
        service = self.type.name.partition("_")[2].replace("_", "-")
        host = f"{label}.{service}.{INVALID}"
        bare = name.endswith(("host", "hostname", "host_name", "fqdn"))
        return host if bare else f"https://{host}/"

    def _ip(self, path: Path) -> str:
        # 198.18.0.0/15 is set aside for tests between networks (RFC 2544) and is no one's subnet.
        # One address a resource, or one for each element that may have its own.
        places = tuple(part for part in path if isinstance(part, int) and part)
        number = int.from_bytes(hashlib.sha256(f"{self.seed}{places}".encode()).digest()[:3])
        return f"198.{18 + (number >> 16 & 1)}.{number >> 8 & 255}.{max(1, number & 255)}"

    def _guid(self, *parts: object) -> str:
        return guid(self.seed, *parts)

    def _label(self) -> str:
        return f"{self.type.name.partition('_')[2].replace('_', '-')}-{self._guid()[:8]}"


def _computed(name: str, kind: Any, *, sensitive: bool) -> Attribute:
    return Attribute(
        name=name,
        type=kind,
        required=False,
        optional=False,
        computed=True,
        sensitive=sensitive,
        write_only=False,
        deprecated=False,
        nested=None,
        nesting="",
        facts={},
    )


def seed_of(block: Block, kind: str, config: dict[str, Value]) -> str:
    """Return what makes a resource itself: its type and its known arguments.

    The protocol gives a provider no address, so two resources are told apart by what they say.
    """
    return json.dumps([kind, _known(block, config)], sort_keys=True, default=repr)


def _known(block: Block, config: dict[str, Value]) -> dict[str, Value]:
    fixed = [
        name
        for name in ("name", "scope", "resource_group_name", "display_name")
        if isinstance(config.get(name), str)
    ]
    if "name" in fixed or "display_name" in fixed:
        # What a name identifies keeps its ids when its other arguments change.
        extra = [
            name
            for name, value in config.items()
            if name.endswith("_id") and isinstance(value, str) and value.startswith("/")
        ]
        return {name: config[name] for name in (*fixed, *extra)}
    return {
        name: normal(value)
        for name, value in config.items()
        if value not in (None, [], {}) and not is_unknown(value) and name in block.attributes
    }
