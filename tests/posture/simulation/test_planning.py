"""What a plan makes of a proposal, block by block."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from secure_openai.posture.simulation.planning import plan, replacements
from secure_openai.posture.simulation.schema import Block, block_of
from secure_openai.posture.simulation.values import OWN_UNKNOWN, type_of

STRING = {"type": "string", "optional": True}
COMPUTED = {"type": "string", "computed": True}
EITHER = {**STRING, "computed": True}
UNKNOWN = msgpack.ExtType(0, b"\x00")
FORCED = {"force_new": True}


def block(nesting: str = "", facts: dict[str, Any] | None = None) -> Block:
    """Return a block with one nested block of a nesting, or without."""
    inner = {"attributes": {"a": STRING, "b": STRING, "id": COMPUTED}}
    nested = {"n": {"nesting_mode": nesting, "block": inner}} if nesting else {}
    attributes = {
        "s": STRING,
        "c": COMPUTED,
        "e": EITHER,
        "l": {"type": ["list", "string"], "optional": True},
        "u": {"type": ["set", "string"], "optional": True},
        "w": {**STRING, "write_only": True},
    }
    return block_of({"attributes": attributes, "block_types": nested}, facts or {})


def whole(**values: Any) -> dict[str, Any]:
    """Return an object of the block with these values."""
    return {**dict.fromkeys("sceluw"), **values}


def part(**values: Any) -> dict[str, Any]:
    """Return an object of the nested block with these values."""
    return {"a": None, "b": None, "id": None, **values}


def test_creation() -> None:
    """A new object has defaults, keeps what is configured, and leaves the rest unknown."""
    made = plan(block(facts={"s": {"default": "d"}}), None, whole(l=["x"], w="secret"))

    assert made == whole(s="d", l=["x"], c=OWN_UNKNOWN, e=OWN_UNKNOWN)


def test_update() -> None:
    """An existing object keeps what was computed, null included."""
    prior = whole(s="one", c="id", e=None)

    assert plan(block(), prior, whole(s="two", c="id")) == whole(s="two", c="id")


def test_unset_computed_block() -> None:
    """A block that Azure fills is unknown at first and kept afterwards."""
    kind = block("list", {"n": {"computed_block": True}})
    prior = {**whole(), "n": [part(a="x")]}

    assert plan(kind, None, {**whole(), "n": []})["n"] is OWN_UNKNOWN
    assert plan(kind, prior, {**whole(), "n": []})["n"] == [part(a="x")]


def test_set_elements_are_matched() -> None:
    """An element of a set keeps its id when its neighbours change."""
    kind = block("set", {"n.b": {"default": "d"}})
    prior = {**whole(), "n": [part(a="1", b="d", id="one"), part(a="2", b="d", id="two")]}

    made = plan(kind, prior, {**whole(), "n": [part(a="2"), part(a="3")]})

    assert made["n"] == [part(a="2", b="d", id="two"), part(a="3", b="d", id=OWN_UNKNOWN)]


def test_single_and_map_blocks() -> None:
    """A single block and a map of blocks are planned against what they were."""
    one = plan(block("single"), {**whole(), "n": part(id="i")}, {**whole(), "n": part(a="x")})
    several = plan(
        block("map"),
        {**whole(), "n": {"k": part(id="i")}},
        {**whole(), "n": {"k": part(), "m": part()}},
    )

    assert one["n"] == part(a="x", id="i")
    assert several["n"] == {"k": part(id="i"), "m": part(id=OWN_UNKNOWN)}
    assert plan(block("single"), None, {**whole(), "n": None})["n"] is None


def test_unknown_blocks_stay() -> None:
    """A list of blocks that is not known yet is handed on, as is an element of it."""
    assert plan(block("list"), None, {**whole(), "n": UNKNOWN})["n"] == UNKNOWN
    assert plan(block("list"), None, {**whole(), "n": [UNKNOWN]})["n"] == [UNKNOWN]


REPLACED: list[tuple[str, str, dict[str, Any], Any, Any, list[tuple[str | int, ...]]]] = [
    ("equal", "", {"s": FORCED}, "x", "x", []),
    ("changed", "", {"s": FORCED}, "x", "y", [("s",)]),
    ("changed freely", "", {}, "x", "y", []),
    ("unknown", "", {"s": FORCED}, "x", UNKNOWN, [("s",)]),
    ("our own unknown", "", {"s": FORCED}, "x", OWN_UNKNOWN, []),
    ("null and empty", "", {"s": FORCED}, None, "", []),
    ("list in order", "", {"l": FORCED}, ["a", "b"], ["b", "a"], [("l",)]),
    ("set in any order", "", {"u": FORCED}, ["a", "b"], ["b", "a"], []),
    ("inside a list", "list", {"n.a": FORCED}, [part(a="1")], [part(a="2")], [("n", 0, "a")]),
    ("inside a single", "single", {"n.a": FORCED}, part(a="1"), part(a="2"), [("n", "a")]),
    ("element added", "list", {"n.a": FORCED}, [], [part(a="1")], [("n",)]),
    ("element added freely", "list", {"n.a": FORCED}, [], [part(b="1")], []),
    ("element removed", "list", {"n.a": FORCED}, [part(a="1")], [], [("n",)]),
    ("block changed", "list", {"n": FORCED}, [part(b="1")], [part(b="2")], [("n",)]),
    ("block equal", "list", {"n": FORCED}, [part(b="1", id="i")], [part(b="1", id="i")], []),
    ("block added", "list", {"n": FORCED}, [], [part(b="1")], [("n",)]),
    ("set element changed", "set", {"n.a": FORCED}, [part(a="1")], [part(a="2")], [("n",)]),
    (
        "set in another order",
        "set",
        {"n": FORCED},
        [part(a="1"), part(a="2")],
        [part(a="2"), part(a="1")],
        [],
    ),
    ("set block changed", "set", {"n": FORCED}, [part(b="1")], [part(b="2")], [("n",)]),
    ("block of Azure", "list", {"n": FORCED}, [part(b="1")], OWN_UNKNOWN, []),
]


@pytest.mark.parametrize(
    ("nesting", "facts", "before", "after", "paths"),
    [case[1:] for case in REPLACED],
    ids=[case[0] for case in REPLACED],
)
def test_replacement(
    nesting: str,
    facts: dict[str, Any],
    before: Any,
    after: Any,
    paths: list[tuple[str | int, ...]],
) -> None:
    """Only a change that the facts forbid in place replaces, and its path says which."""
    name = next(iter(facts), "s").partition(".")[0]
    kind = block(nesting, facts)

    assert list(replacements(kind, whole(**{name: before}), whole(**{name: after}))) == paths


def test_types_of_plain_values() -> None:
    """A plain value is given the narrowest type that Terraform would give it."""
    value = {"a": [1, "x", True, None]}

    assert type_of(value) == [
        "object",
        {"a": ["tuple", ["number", "string", "bool", "dynamic"]]},
    ]
