"""What is taken at once is what care takes, with the same value; of the rest, care has the word."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import Mock

import pytest
from pydantic_core import from_json

from secure_openai.errors import Refused, RequestError
from secure_openai.policy import json_text
from secure_openai.policy.acceptor import (
    LARGEST_BYTES,
    LARGEST_JSON_DEPTH,
    LARGEST_VALUES,
    Acceptor,
)
from secure_openai.policy.fields import TABLES, WrittenRequest, check_request
from secure_openai.policy.json_text import read_json
from secure_openai.policy.rules import LARGEST_NODES, Check, resolved
from secure_openai.types import JsonObject, Operation
from tests.policy.drawn_bodies import fitting, spoilt, written
from tests.policy.test_fields import FULL, LISTED

RULES = {name: resolved(known["request"], known["types"]) for name, known in TABLES.items()}
ACCEPTORS = {name: Acceptor(rule) for name, rule in RULES.items()}
WHOLE: Mapping[Operation, Any] = {Operation.CHAT_COMPLETIONS: FULL, **LISTED}
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
DRAWN = 1_500


def spelt(value: object) -> str:
    """Return a value's JSON, which tells 1 from 1.0 and from true; members in no order."""
    return json.dumps(value, sort_keys=True)


def outcome(operation: Operation, asked: WrittenRequest, *, carefully: bool) -> object:
    """Return what became of a request."""
    try:
        checked = check_request(operation, asked.read() if carefully else asked)
    except RequestError as error:
        return type(error), error.detail, error.pointer
    except Refused as refusal:
        return refusal.decision
    return spelt(checked._asdict())


def at_once_of(operation: Operation, text: bytes) -> JsonObject | None:
    """Return what is taken of a text at once, or of its value where it is long."""
    if len(text) <= LARGEST_BYTES:
        return ACCEPTORS[operation].accepted(text)
    try:
        return ACCEPTORS[operation].rebuilt(read_json(text))
    except RequestError:
        return None


@pytest.mark.parametrize("room", [0, LARGEST_BYTES], ids=["short", "long"])
@pytest.mark.parametrize("operation", Operation)
def test_a_request_has_one_outcome(operation: Operation, room: int) -> None:
    """Drawn by the rules and then spoilt: the value or the refusal is that of care alone."""
    drawn = random.Random(operation)
    fitted = accepted = 0
    for number in range(DRAWN):
        value = fitting(drawn, RULES[operation])
        for _ in range(drawn.choice((0, 0, 1, 2))):
            value = spoilt(drawn, value)
        text = written(drawn, value, twice=number % 4 / 400).encode("utf-8", "surrogatepass")
        text += b" " * room
        asked = WrittenRequest(text, drawn.choice((*[None] * 20, "type", "m", "\x00")))
        found = outcome(operation, asked, carefully=False)

        assert outcome(operation, asked, carefully=True) == found, text
        fitted += isinstance(found, str)
        at_once = at_once_of(operation, text)
        if at_once is not None:
            assert spelt(json.loads(text)) == spelt(at_once)
            accepted += isinstance(found, str)

    # Were either rare, little would have been compared.
    assert DRAWN / 5 < fitted < DRAWN * 3 / 5
    assert fitted * 4 / 5 < accepted


@pytest.mark.parametrize("operation", Operation)
def test_what_uses_every_field_is_taken_at_once(operation: Operation) -> None:
    """However it is spaced and escaped."""
    for spelling in ({}, {"ensure_ascii": False}, {"indent": 2}, {"separators": (",", ":")}):
        text = json.dumps(WHOLE[operation], **spelling).encode()

        for room in (0, LARGEST_BYTES):
            assert spelt(at_once_of(operation, text + b" " * room)) == spelt(WHOLE[operation])


def chat(**members: Any) -> bytes:
    """Return a chat's request with more members."""
    return json.dumps(ASK | members).encode()


def said(text: str) -> bytes:
    """Return a chat's request that says so."""
    return chat(messages=[{"role": "user", "content": text}])


def schema(value: Any) -> bytes:
    """Return a chat's request with a schema."""
    told = {"type": "json_schema", "json_schema": {"name": "s", "schema": value}}
    return chat(response_format=told)


def nested(levels: int) -> Any:
    """Return lists of so many levels."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


TAKEN = ACCEPTORS[Operation.CHAT_COMPLETIONS].accepted


@pytest.mark.parametrize(
    "members",
    [
        # A member twice, with as many colons left over as it had.
        '"n":1,"n":1',
        '"stop":"a:b","stop":"ab"',
        '"stop":"ab","stop":"a:b"',
        '"stop":"\\u003a","stop":"a"',
        '"n":1,"\\u006e":1',
        '"logit_bias":{"1":1,"1":1}',
        '"stream_options":{"include_usage":true,"include_usage":false}',
        '"tools":[{"type":"function","type":"custom","function":{"name":"f"}}]',
        '"tools":[{"type":"function","function":{"name":"f","parameters":{"a":1,"a":1}}}]',
        # What only looks like what is asked for.
        '"n":1.0',
        '"n":true',
        '"n":"1"',
        '"stream":"true"',
        '"stream":1',
        '"store":0',
        '"store":0.0',
        '"temperature":true',
        '"temperature":NaN',
        '"temperature":1e999',
        '"seed":9007199254740992',
        '"stop":"\\u0000"',
        '"stop":"\\b"',
        '"stop":"\\ud800"',
        '"stop":"\x01"',
        '"reasoning_effort":"Low"',
        '"user":"x"',
    ],
)
def test_what_care_refuses_is_not_taken(members: str) -> None:
    """One reading, one type, and no member that is not on the list."""
    text = (chat().decode().removesuffix("}") + f",{members}}}").encode()

    for room in (b"", b" " * LARGEST_BYTES):
        assert at_once_of(Operation.CHAT_COMPLETIONS, text + room) is None
        with pytest.raises((RequestError, Refused)):
            check_request(Operation.CHAT_COMPLETIONS, WrittenRequest(text + room))
        assert at_once_of(Operation.CHAT_COMPLETIONS, chat() + room) is not None


def test_a_long_or_deep_request_is_not_taken_while_it_is_read() -> None:
    """Up to the bound it is taken, and not beyond: deep is left to care, long to its value."""
    room = "x" * (LARGEST_BYTES - len(said("")))

    assert TAKEN(said(room)) is not None
    assert TAKEN(said(room + "x")) is None
    for long in (b"", b" " * LARGEST_BYTES):
        deepest, deeper = (schema(nested(LARGEST_JSON_DEPTH + more)) + long for more in (0, 1))
        assert at_once_of(Operation.CHAT_COMPLETIONS, deepest) is not None
        assert at_once_of(Operation.CHAT_COMPLETIONS, deeper) is None


def test_a_request_of_many_values_is_left_to_care() -> None:
    """However often care looks at each, it would not have refused what is taken as too much."""
    room = LARGEST_VALUES - 20

    assert at_once_of(Operation.CHAT_COMPLETIONS, schema([1] * room)) is not None
    assert at_once_of(Operation.CHAT_COMPLETIONS, schema([1] * LARGEST_VALUES)) is None
    most = max(looks(one) for rule in RULES.values() for one in within(rule))
    assert most * LARGEST_VALUES < LARGEST_NODES


def alike(rule: JsonObject) -> list[JsonObject]:
    """Return the rules that a value of a rule may be of too."""
    either = [rule[name] for name in ("text", "list", "object", "integer") if name in rule]
    return either if rule["type"] == "either" else [*rule.get("variants", {}).values()]


def looks(rule: JsonObject) -> int:
    """Return how often care looks at a value of a rule at most."""
    return 1 + max(map(looks, alike(rule)), default=0)


def within(rule: JsonObject) -> Iterator[JsonObject]:
    """Yield a rule and all that it holds."""
    yield rule
    items = [rule["items"]] if "items" in rule else []
    for one in (*alike(rule), *rule.get("members", {}).values(), *items):
        yield from within(one)


def test_a_request_whose_model_only_the_address_names_is_read_with_care() -> None:
    """The address decides, and what it names is checked as what the body names is."""
    for text in (chat(), said("x" * LARGEST_BYTES)):
        for named, told in (("m", "m"), ("other", "other"), (None, "m")):
            checked = check_request(Operation.CHAT_COMPLETIONS, WrittenRequest(text, named))
            assert checked.deployment == checked.body["model"] == told
        for named in ("x" * 65, "\x00"):
            with pytest.raises(RequestError) as caught:
                check_request(Operation.CHAT_COMPLETIONS, WrittenRequest(text, named))
            assert caught.value.pointer == "/model"


def test_a_long_request_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken or refused: what was read is what care looks at."""
    read = Mock(wraps=from_json)
    monkeypatch.setattr(json_text, "from_json", read)
    taken, refused = said("x" * LARGEST_BYTES), chat(user="x" * LARGEST_BYTES)

    check_request(Operation.CHAT_COMPLETIONS, WrittenRequest(taken))
    with pytest.raises(Refused):
        check_request(Operation.CHAT_COMPLETIONS, WrittenRequest(refused))

    assert [taken, refused] == [call.args[0] for call in read.call_args_list]


def test_signs_of_markup_may_be_escaped() -> None:
    """As Go and others do of themselves, whatever a text says."""
    text = said("<a> & b: 1;").replace(b"<", b"\\u003c").replace(b">", b"\\u003E")

    for room in (b"", b" " * LARGEST_BYTES):
        assert at_once_of(Operation.CHAT_COMPLETIONS, text + room) == json.loads(text)


def test_no_text_of_a_request_is_kept() -> None:
    """Two requests that say the same do not share what they say, as they would from a cache."""
    first, second = TAKEN(chat()), TAKEN(chat())

    assert first is not None
    assert second is not None
    assert first["messages"][0]["content"] is not second["messages"][0]["content"]


TEXT: JsonObject = {"type": "text"}
UNKNOWN: JsonObject = {
    "type": "object",
    "required": ["a"],
    "members": {"a": {"type": "left_out"}},
}
MADE: Mapping[str, JsonObject] = {
    "an object that needs what is not known": UNKNOWN,
    "a list of what is not known": {"type": "list", "most": 2, "items": UNKNOWN},
    "a map of what is not known": {"type": "map", "most": 2, "items": UNKNOWN},
    "an object without what is not known": {
        "type": "object",
        "members": {"a": UNKNOWN, "b": TEXT},
    },
    "a text that is listed and bounded": {"type": "text", "values": ["a", "bc"], "most": 1},
    "a number between whole ones": {"type": "number", "least": 0.5, "most": 1.5},
    "either, where one may be null": {"type": "either", "text": TEXT | {"null": True}},
    "either, by another type than it says": {
        "type": "either",
        "integer": {"type": "number", "least": 0, "most": 2},
        "list": {"type": "list", "most": 2, "items": TEXT},
    },
    "either of what is not known": {"type": "either", "object": UNKNOWN},
    "a variant whose default is refused": {
        "type": "variant",
        "by": "a",
        "default": "x",
        "variants": {"x": {"type": "object", "members": {"b": TEXT}}},
        "refused": {"x": "it is"},
    },
    "a variant that is another by default": {
        "type": "variant",
        "by": "a",
        "default": "x",
        "variants": {
            "x": {"type": "object", "members": {"a": TEXT, "b": TEXT}},
            "bc": {"type": "object", "members": {"a": TEXT}},
        },
    },
    "a variant of a variant by the same member": {
        "type": "variant",
        "by": "a",
        "default": "x",
        "variants": {
            "x": {
                "type": "variant",
                "by": "a",
                "default": "y",
                "variants": {"y": {"type": "object", "required": ["a"], "members": {"a": TEXT}}},
            }
        },
    },
}
UNTAKEN = {
    "an object that needs what is not known",
    "a list of what is not known",
    "a map of what is not known",
    "either of what is not known",
    "a variant whose default is refused",
    "a variant of a variant by the same member",
}
VALUES: tuple[Any, ...] = (
    *(None, "", "a", "bc", 0, 0.5, 1, 1.5, 2, True, [], ["a"], [None], {}, {"a": "a"}),
    *({"b": "a"}, {"a": None}, {"a": "bc"}, {"a": "x"}, {"a": "x", "b": "a"}, {"a": "y"}),
    *({"a": "bc", "b": "a"}, {"a": 1, "b": "a"}, {"a": "z", "b": "a"}),
)


@pytest.mark.parametrize("name", MADE)
def test_no_rule_takes_more_than_care(name: str) -> None:
    """Rules that no table has yet, and values at their edges."""
    rule = {"type": "object", "members": {"it": MADE[name]}}
    acceptor, taken = Acceptor(rule), 0
    for value in VALUES:
        text = json.dumps({"it": value}).encode()
        try:
            careful = spelt(Check().value({"it": value}, rule, ""))
        except (RequestError, Refused):
            careful = None
        at_once = acceptor.accepted(text)
        of_value = acceptor.rebuilt(read_json(text))

        assert at_once is None or spelt(at_once) == careful, text
        assert spelt(at_once) == spelt(of_value)
        taken += at_once is not None

    assert (taken == 0) == (name in UNTAKEN)


def test_a_rule_that_says_what_is_not_known_stops_the_start() -> None:
    """Rather than being taken for one that says less; of an unknown type nothing is taken."""
    for rule in (
        TEXT | {"unlike": "a"},
        {"type": "list", "most": 1, "items": TEXT, "unique": True},
    ):
        with pytest.raises(TypeError):
            Acceptor({"type": "object", "members": {"a": rule}})

    assert Acceptor({"type": "left_out"}).accepted(b"{}") is None
