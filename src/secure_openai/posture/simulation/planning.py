"""What a provider plans: defaults filled, unknowns left open, and what a change replaces.

The rules are those of Terraform's plugin SDK 2, which azurerm and azuread are built on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from secure_openai.posture.simulation.marks import Path
from secure_openai.posture.simulation.schema import Attribute, Block, NestedBlock
from secure_openai.posture.simulation.values import (
    OWN_UNKNOWN,
    Value,
    blocks_in,
    is_unknown,
    normal,
    same,
)

Object = dict[str, Any]


def plan(block: Block, prior: Object | None, proposed: Object) -> Object:
    """Return what an object will be: the proposal with defaults, and unknown where Azure decides.

    Args:
        block: Its schema.
        prior: What it is now; None when it is to be created.
        proposed: What Terraform proposes: the configuration, and what was computed before.
    """
    planned: Object = {}
    for name, attribute in block.attributes.items():
        planned[name] = _attribute(attribute, prior, proposed.get(name))
    for name, nested in block.blocks.items():
        planned[name] = _blocks(nested, prior, proposed.get(name))
    return planned


def _attribute(attribute: Attribute, prior: Object | None, value: Value) -> Value:
    if attribute.write_only:
        return None
    if value is None:
        if "default" in attribute.facts or not attribute.computed:
            return attribute.facts.get("default")
        # Once created, what is null stays the cloud's choice; a new object is not known yet.
        return OWN_UNKNOWN if prior is None else prior.get(attribute.name)
    if attribute.nested and not is_unknown(value):
        before = prior.get(attribute.name) if prior else None
        return _objects(attribute.nested, attribute.nesting, before, value)
    return value


def _blocks(nested: NestedBlock, prior: Object | None, value: Value) -> Value:
    before = prior.get(nested.name) if prior else None
    if not value and nested.facts.get("computed_block"):
        return OWN_UNKNOWN if prior is None else before
    return _objects(nested.block, nested.nesting, before, value)


def _objects(block: Block, nesting: str, prior: Value, value: Value) -> Value:
    if isinstance(value, dict):
        if nesting == "map":
            before = prior if isinstance(prior, dict) else {}
            return {key: plan(block, before.get(key), part) for key, part in value.items()}
        return plan(block, prior if isinstance(prior, dict) else None, value)
    if not isinstance(value, list):
        return value
    known = list(prior) if isinstance(prior, list) else []
    planned = []
    for position, part in enumerate(value):
        if not isinstance(part, dict):
            planned.append(part)
        elif nesting == "set":
            planned.append(plan(block, _match(block, known, part), part))
        else:
            planned.append(plan(block, known[position] if position < len(known) else None, part))
    return planned


def _match(block: Block, known: list[Object], proposed: Object) -> Object | None:
    """Take from a set the object that a proposed one continues: equal in all that is configured."""
    for position, candidate in enumerate(known):
        if matches(block, candidate, proposed):
            return known.pop(position)
    return None


def matches(block: Block, prior: Object, proposed: Object) -> bool:
    """Return whether a prior object agrees with all that a proposed one configures."""
    for name, attribute in block.attributes.items():
        value = proposed.get(name)
        if attribute.write_only or (value is None and attribute.computed):
            continue
        if value is None:
            value = attribute.facts.get("default")
        if not same(attribute, value, prior.get(name)):
            return False
    for name, nested in block.blocks.items():
        before = list(blocks_in(prior.get(name)))
        after = list(blocks_in(proposed.get(name)))
        if not after and nested.facts.get("computed_block"):
            continue
        if len(before) != len(after):
            return False
        if not all(any(matches(nested.block, one, other) for one in before) for other in after):
            return False
    return True


def replacements(block: Block, prior: Object, planned: Object, path: Path = ()) -> Iterator[Path]:
    """Give the paths whose change cannot be made in place."""
    for name, attribute in block.attributes.items():
        after = planned.get(name)
        if (
            attribute.facts.get("force_new")
            and after is not OWN_UNKNOWN
            and not _alike(attribute, prior.get(name), after)
        ):
            yield (*path, name)
    for name, nested in block.blocks.items():
        yield from _block_replacements(nested, prior.get(name), planned.get(name), (*path, name))


def _block_replacements(
    nested: NestedBlock, prior: Value, planned: Value, path: Path
) -> Iterator[Path]:
    if planned is OWN_UNKNOWN:
        return
    before, after = list(blocks_in(prior)), list(blocks_in(planned))
    if nested.nesting == "set":
        if _set_replaced(nested, before, after):
            yield path
        return
    if nested.facts.get("force_new") and (
        len(before) != len(after)
        or any(_changed(nested.block, one, other) for one, other in zip(before, after, strict=True))
    ):
        yield path
        return
    for position, (one, other) in enumerate(zip(before, after, strict=False)):
        inner = path if nested.nesting in {"single", "group"} else (*path, position)
        yield from replacements(nested.block, one, other, inner)
    for extra in (*before[len(after) :], *after[len(before) :]):
        if _forces(nested.block, extra):
            yield path


def _set_replaced(nested: NestedBlock, before: list[Object], after: list[Object]) -> bool:
    left = list(before)
    added = [part for part in after if _match(nested.block, left, _own_as_null(part)) is None]
    odd = [*left, *added]
    if nested.facts.get("force_new"):
        return bool(odd)
    return any(_forces(nested.block, part) for part in odd)


def _changed(block: Block, prior: Object, planned: Object) -> bool:
    return not matches(block, prior, _own_as_null(planned))


def _own_as_null(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _own_as_null(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_own_as_null(part) for part in value]
    return None if value is OWN_UNKNOWN else value


def _forces(block: Block, value: Object) -> bool:
    """Return whether an object sets anything that cannot be changed in place."""
    return any(
        attribute.facts.get("force_new")
        and value.get(name) is not OWN_UNKNOWN
        and not _is_zero(value.get(name))
        for name, attribute in block.attributes.items()
    ) or any(
        _forces(nested.block, part)
        for name, nested in block.blocks.items()
        for part in blocks_in(value.get(name))
    )


def _alike(attribute: Attribute, prior: Value, planned: Value) -> bool:
    # The SDK cannot tell null from the zero value of a type.
    return (_is_zero(prior) and _is_zero(planned)) or same(attribute, prior, planned)


def _is_zero(value: Value) -> bool:
    return not is_unknown(value) and not normal(value)
