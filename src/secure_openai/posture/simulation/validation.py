"""What a provider refuses in a configuration, from its facts, in the words of Terraform's SDK 2.

Core itself refuses what the schema settles: unknown and missing arguments, types, too many blocks.
A value that is not known yet is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from secure_openai.posture.simulation.ids import fits
from secure_openai.posture.simulation.marks import Path
from secure_openai.posture.simulation.schema import Attribute, Block, NestedBlock
from secure_openai.posture.simulation.values import Value, is_unknown

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal, at an attribute."""

    summary: str
    detail: str
    path: Path


def problems(block: Block, config: dict[str, Value]) -> Iterator[Problem]:
    """Give everything that the facts forbid in a configuration."""
    yield from _block(block, config, config, ())


def _block(
    block: Block, value: dict[str, Value], root: dict[str, Value], path: Path
) -> Iterator[Problem]:
    for name, attribute in block.attributes.items():
        held = value.get(name)
        if attribute.computed and not attribute.optional and held is not None:
            yield Problem(
                "Value for unconfigurable attribute",
                f'Can\'t configure a value for "{name}": its value will be decided automatically '
                "based on the result of applying this configuration.",
                (*path, name),
            )
        if attribute.facts:
            yield from _together(attribute, held, root, (*path, name))
            yield from _allowed(attribute, held, (*path, name))
    for name, nested in block.blocks.items():
        held = value.get(name)
        if nested.facts:
            yield from _together(nested, held, root, (*path, name))
        if isinstance(held, dict):
            yield from _block(nested.block, held, root, (*path, name))
        elif isinstance(held, list):
            for position, part in enumerate(held):
                if isinstance(part, dict):
                    # An element of a set has no position: Terraform is shown the block.
                    step = () if nested.nesting == "set" else (position,)
                    yield from _block(nested.block, part, root, (*path, name, *step))


def _is_set(value: Value) -> bool:
    return value is not None and value != []


def _reference(root: Value, reference: str) -> Value:
    """Return what stands at a path as the SDK writes it: `site_config.0.application_stack`."""
    value = root
    for part in reference.split("."):
        if is_unknown(value):
            return value
        if isinstance(value, list):
            place = int(part) if part.isdigit() else 0
            value = value[place] if place < len(value) else None
            if part.isdigit():
                continue
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _names(references: list[str]) -> str:
    return ",".join(references)


def _together(
    item: Attribute | NestedBlock, value: Value, root: dict[str, Value], path: Path
) -> Iterator[Problem]:
    facts = item.facts
    name = ".".join(map(str, path))
    if _is_set(value) and not is_unknown(value):
        for other in facts.get("conflicts_with", ()):
            held = _reference(root, other)
            if _is_set(held) and not is_unknown(held):
                yield Problem(
                    "Conflicting configuration arguments", f'"{name}": conflicts with {other}', path
                )
    if exactly := facts.get("exactly_one_of"):
        yield from _exactly_one(exactly, name, root, path)
    if (least := facts.get("at_least_one_of")) and not any(
        _is_set(_reference(root, other)) for other in least
    ):
        yield Problem(
            "Missing required argument",
            f'"{name}": one of `{_names(least)}` must be specified',
            path,
        )
    if (
        (required := facts.get("required_with"))
        and _is_set(value)
        and not all(_is_set(_reference(root, other)) for other in required)
    ):
        yield Problem(
            "Missing required argument",
            f'"{name}": all of `{_names(sorted({name, *required}))}` must be specified',
            path,
        )


def _exactly_one(
    references: list[str], name: str, root: dict[str, Value], path: Path
) -> Iterator[Problem]:
    held = {other: _reference(root, other) for other in references}
    known = [other for other, value in held.items() if _is_set(value) and not is_unknown(value)]
    if len(known) > 1:
        yield Problem(
            "Invalid combination of arguments",
            f'"{name}": only one of `{_names(references)}` can be specified, '
            f"but `{_names(known)}` were specified.",
            path,
        )
    elif not known and not any(map(is_unknown, held.values())):
        yield Problem(
            "Invalid combination of arguments",
            f'"{name}": one of `{_names(references)}` must be specified',
            path,
        )


def _allowed(attribute: Attribute, value: Value, path: Path) -> Iterator[Problem]:
    for part in value if isinstance(value, list) else [value]:
        if part is not None and not is_unknown(part):
            yield from _value(attribute, part, path)


def _value(attribute: Attribute, value: Any, path: Path) -> Iterator[Problem]:
    facts, name = attribute.facts, attribute.name
    values = facts.get("values")
    if values is not None and value not in values:
        quoted = " ".join(f'"{one}"' for one in values)
        yield Problem(f"expected {name} to be one of [{quoted}], got {value}", "", path)
    if (limits := facts.get("range")) and isinstance(value, int | float):
        low, high = limits
        if (low is not None and value < low) or (high is not None and value > high):
            yield Problem(_range(name, low, high, value), "", path)
    if (limits := facts.get("length")) and isinstance(value, str):
        low, high = limits
        if not low <= len(value) <= high:
            yield Problem(
                f"expected length of {name} to be in the range ({low} - {high}), got {value}",
                "",
                path,
            )
    if facts.get("guid") and isinstance(value, str) and not _GUID.fullmatch(value):
        yield Problem(f'expected "{name}" to be a valid UUID, got {value}', "", path)
    if (template := facts.get("id_like")) and isinstance(value, str) and not fits(template, value):
        yield Problem(
            f'parsing "{value}": the ID has another shape than `{name}` takes',
            f"It takes an ID such as {template}.",
            path,
        )


def _range(name: str, low: Any, high: Any, value: Any) -> str:
    if high is None:
        return f"expected {name} to be at least ({low}), got {value}"
    if low is None:
        return f"expected {name} to be at most ({high}), got {value}"
    return f"expected {name} to be in the range ({low} - {high}), got {value}"
