"""The providers' schemas and facts, as they ship with the package.

A file of `data/` holds one provider: its schema as `terraform providers schema -json` prints it,
without prose, and its facts, which that schema does not carry: defaults, allowed values, conflicts,
which change replaces a resource, and what its id looks like. `refresh` writes these files.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from secure_openai.posture.simulation.facts import HANDMADE, NOT_ONLY

_NO_FACTS: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """One attribute of a block.

    Attributes:
        type: Its type as cty's JSON writes it: a name, or a list that begins with the kind.
        nested: The object inside it, where the provider declares one.
        nesting: How that object repeats; empty without one.
        facts: What the schema does not carry, by name.
    """

    name: str
    type: Any
    required: bool
    optional: bool
    computed: bool
    sensitive: bool
    write_only: bool
    deprecated: bool
    nested: Block | None
    nesting: str
    facts: Mapping[str, Any]

    @property
    def is_set(self) -> bool:
        """Return whether its order means nothing."""
        return self.nesting == "set" or (isinstance(self.type, list) and self.type[0] == "set")


@dataclass(frozen=True, slots=True, eq=False)
class NestedBlock:
    """One kind of block inside another; its facts are those of the block as a whole."""

    name: str
    nesting: str
    block: Block
    min_items: int
    max_items: int
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The attributes and blocks at one level."""

    attributes: Mapping[str, Attribute]
    blocks: Mapping[str, NestedBlock]


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A resource or data source type: its name, its top block, what its id looks like."""

    name: str
    version: int
    block: Block
    id_template: str = ""


@dataclass(frozen=True, eq=False)
class ProviderSchema:
    """Everything known of one provider.

    Attributes:
        source: Namespace and name, as `required_providers` writes them.
        version: The version that schema and facts were read from.
        document: The file itself.
    """

    source: str
    version: str
    document: Mapping[str, Any]
    _types: dict[tuple[str, str], Type] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the last part of the source."""
        return self.source.rpartition("/")[2]

    @property
    def provider(self) -> Type:
        """Return what a provider block takes."""
        raw = self.document["schema"]["provider"]
        return Type(self.name, raw["version"], block_of(raw["block"], {}))

    def names(self, kind: str) -> Iterator[str]:
        """Give the names of all `resource`, `data_source` or `ephemeral_resource` types."""
        yield from self.document["schema"].get(f"{kind}_schemas", ())

    def type(self, name: str, kind: str = "resource") -> Type:
        """Return a type, read on first use.

        Raises:
            KeyError: The provider has no such type.
        """
        key = (kind, name)
        if key not in self._types:
            raw = self.document["schema"][f"{kind}_schemas"][name]
            facts = self.document["facts"].get(name, {})
            # Facts are read from managed resources; a data source of the same name shares its id.
            arguments = facts.get("args", {}) if kind == "resource" else {}
            self._types[key] = Type(
                name, raw["version"], block_of(raw["block"], arguments), facts.get("id", "")
            )
        return self._types[key]


def block_of(raw: Mapping[str, Any], facts: Mapping[str, Any], prefix: str = "") -> Block:
    """Return a block with the facts of its arguments, which are keyed by dotted path."""
    return Block(
        attributes={
            name: Attribute(
                name=name,
                type=value.get("type"),
                required=value.get("required", False),
                optional=value.get("optional", False),
                computed=value.get("computed", False),
                sensitive=value.get("sensitive", False),
                write_only=value.get("write_only", False),
                deprecated=value.get("deprecated", False),
                nested=(
                    block_of(value["nested_type"], facts, f"{prefix}{name}.")
                    if "nested_type" in value
                    else None
                ),
                nesting=value.get("nested_type", {}).get("nesting_mode", ""),
                facts=facts.get(f"{prefix}{name}", _NO_FACTS),
            )
            for name, value in raw.get("attributes", {}).items()
        },
        blocks={
            name: NestedBlock(
                name=name,
                nesting=value["nesting_mode"],
                block=block_of(value["block"], facts, f"{prefix}{name}."),
                min_items=value.get("min_items", 0),
                max_items=value.get("max_items", 0),
                facts=facts.get(f"{prefix}{name}", _NO_FACTS),
            )
            for name, value in raw.get("block_types", {}).items()
        },
    )


PROVIDERS: Final = ("azurerm", "azuread", "azapi", "random")
"""The providers that have a stand-in."""

_DATA: Final = Path(__file__).with_name("data")
_OTHER_BLOCK: Final = Block({}, {})


@cache
def load(name: str) -> ProviderSchema:
    """Return one provider's schema and facts from the package."""
    facts: Any = HANDMADE.get(name, {})
    packed = (_DATA / f"{name}.json.xz").read_bytes()
    document = {"facts": facts, **json.loads(lzma.decompress(packed))}
    for kind, argument in NOT_ONLY.get(name, ()):
        document["facts"][kind]["args"][argument].pop("values", None)
    return ProviderSchema(document["source"], document["version"], document)


def resource_block(kind: str) -> Block:
    """Return what a resource of a type may say; an empty block where its provider is not known."""
    provider = kind.partition("_")[0]
    try:
        return load(provider).type(kind).block if provider in PROVIDERS else _OTHER_BLOCK
    except KeyError:
        return _OTHER_BLOCK
