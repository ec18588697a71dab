"""An event's one spelling, whichever writer spells it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from secure_openai.errors import AuditUnavailable
from secure_openai.store.audit import AuditEvent
from secure_openai.store.chain import canonical, event_document, recordable
from secure_openai.types import PrincipalId

EVERY = [
    "".join(map(chr, range(begin, begin + 0x800)))
    for begin in range(0, 0x110000, 0x800)
    if begin != 0xD800
]
"""Every character there is: surrogates are none."""


def event(facts: dict[str, Any]) -> AuditEvent:
    """Return an event with everything that one can have."""
    return AuditEvent(
        action="completion.settled",
        at=datetime(2030, 1, 2, 3, 4, 5, 678, UTC),
        principal=PrincipalId("tenant", "anna"),
        decision="allowed",
        reason="completed",
        deployment="gpt",
        request_id="0" * 32,
        facts=facts,
        subject="tenant/uma",
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"z": 1, "a": "stop", "m": None, "ended": True},
        {"least": -(2**63), "large": 2**64, "zero": 0},
        {"ratio": 0.1, "many": 1e16},
        {"attempts": [{"outcome": "timed_out", "member": "a"}], "inner": {"b": 1, "a": 2}},
        {"\x7f\u2028é": '\x00\x1f"\\/\u2029', "😀": "\ufffe", "\uff61": ""},
        {},
    ],
)
def test_one_spelling(facts: dict[str, Any]) -> None:
    """What is recorded is the canonical document."""
    assert recordable(event(facts)) == canonical(event_document(event(facts)))


def test_every_character() -> None:
    """Whatever a fact says."""
    for text in EVERY:
        one = event({"said": text})
        assert recordable(one) == canonical(event_document(one))


@pytest.mark.parametrize(
    "value",
    ["\ud800", float("nan"), float("inf"), datetime(2030, 1, 1, tzinfo=UTC), {1}, b"", object()],
)
def test_what_json_does_not_know(value: object) -> None:
    """It cannot be recorded, wherever it stands."""
    for facts in ({"fact": value}, {"facts": [value]}, {"fact": {"inner": value}}):
        with pytest.raises(AuditUnavailable):
            recordable(event(facts))
