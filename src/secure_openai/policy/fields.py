"""Which fields of a request pass: an allow-list, kept as data in `tables/`.

We are a deputy: what passes here runs with our identity. A field that is not on the list is refused
by name; what would make Azure fetch or keep something for someone else is not on it. What goes on
to the model is a value rebuilt from the list, never the bytes that came.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from secure_openai.errors import Refused, RequestError
from secure_openai.policy.text import check_text
from secure_openai.tables import table
from secure_openai.types import Decision, JsonObject, Parameters, Reason

_TABLE: JsonObject = table("chat_completions")
LARGEST_NODES = 100_000
"""How many values a request may hold in all."""


@dataclass(frozen=True, slots=True)
class ChatCompletions:
    """A checked request for a chat completion.

    Attributes:
        body: The request rebuilt from the allow-list.
        deployment: Its `model`.
        stream: Whether events are asked for.
        answer_tokens: The largest answer asked for, where one was.
        choices: `n`.
        include_usage: Whether the client asked for usage in the stream.
    """

    body: JsonObject
    deployment: str
    stream: bool
    answer_tokens: int | None
    choices: int
    include_usage: bool

    def require_taken(self, parameters: Parameters) -> None:
        """Return if a deployment takes every parameter asked for.

        Raises:
            RequestError: It does not: a reasoning model refuses what others need.
        """
        for name in sorted(parameters.refused):
            if self.body.get(name) is not None:
                raise RequestError(
                    f"{self.deployment} does not take {name}: leave it out.", pointer=f"/{name}"
                )
        effort = self.body.get("reasoning_effort")
        if effort is not None and effort not in parameters.reasoning_effort:
            known = ", ".join(parameters.reasoning_effort)
            raise RequestError(
                f"{self.deployment} does not take this effort: "
                + (f"write one of {known}." if known else "leave it out."),
                pointer="/reasoning_effort",
            )

    def bounded(self, parameters: Parameters, answer_tokens: int) -> JsonObject:
        """Return the body with the answer bounded, in the field that the deployment reads."""
        body = {
            name: value
            for name, value in self.body.items()
            if name not in {"max_tokens", "max_completion_tokens", "store"}
        }
        body[parameters.max_tokens_field] = answer_tokens
        return body


def check_chat_completions(body: object) -> ChatCompletions:
    """Check a request against the allow-list.

    Raises:
        RequestError: A field is missing, of another type, or out of bounds; the pointer says where.
        Refused: A field is not on the list.
    """
    checked = _Check(_TABLE["types"]).value(body, _TABLE["request"], "")
    limits = [checked[name] for name in ("max_tokens", "max_completion_tokens") if name in checked]
    if len(set(limits)) > 1:
        raise RequestError(
            "max_tokens and max_completion_tokens differ: send one.", pointer="/max_tokens"
        )
    options = checked.get("stream_options") or {}
    return ChatCompletions(
        body=checked,
        deployment=checked["model"],
        stream=bool(checked.get("stream")),
        answer_tokens=limits[0] if limits else None,
        choices=checked.get("n") or 1,
        include_usage=bool(options.get("include_usage")),
    )


class _Check:
    """One walk over one request."""

    def __init__(self, types: JsonObject) -> None:
        self._types = types
        self._nodes = 0

    def value(self, value: object, rule: JsonObject, pointer: str) -> Any:
        """Return `value` rebuilt by `rule`.

        Raises:
            RequestError: It does not fit.
            Refused: It holds a field that is not on the list.
        """
        self._nodes += 1
        if self._nodes > LARGEST_NODES:
            raise RequestError(f"The request holds more than {LARGEST_NODES} values.")
        if "use" in rule:
            rule = self._types[rule["use"]]
        if value is None and rule.get("null"):
            return None
        return getattr(self, f"_{rule['type']}")(value, rule, pointer)

    def _object(self, value: object, rule: JsonObject, pointer: str) -> JsonObject:
        if not isinstance(value, dict):
            _wrong("an object", pointer)
        members = rule["members"]
        for name in value:
            if name not in members:
                _not_allowed(name, pointer)
        for name in rule.get("required", ()):
            if name not in value:
                raise RequestError("This member is missing.", pointer=f"{pointer}/{name}")
        return {
            name: self.value(member, members[name], f"{pointer}/{name}")
            for name, member in value.items()
        }

    def _list(self, value: object, rule: JsonObject, pointer: str) -> list[Any]:
        if not isinstance(value, list):
            _wrong("a list", pointer)
        if not rule.get("least", 0) <= len(value) <= rule["most"]:
            raise RequestError(
                f"Send {rule.get('least', 0)} to {rule['most']} items.", pointer=pointer
            )
        return [
            self.value(item, rule["items"], f"{pointer}/{index}")
            for index, item in enumerate(value)
        ]

    def _text(self, value: object, rule: JsonObject, pointer: str) -> str:
        if not isinstance(value, str):
            _wrong("a text", pointer)
        if "values" in rule and value not in rule["values"]:
            _wrong("one of " + ", ".join(rule["values"]), pointer)
        if len(value) < rule.get("least", 0) or len(value) > rule.get("most", len(value)):
            raise RequestError(
                f"Write {rule.get('least', 0)} to {rule['most']} characters.", pointer=pointer
            )
        prefix = rule.get("prefix")
        if prefix is not None and not value.startswith(prefix):
            raise RequestError(
                f"Send the content itself, beginning with {prefix}: nothing is fetched for you.",
                pointer=pointer,
            )
        return check_text(value, pointer=pointer)

    def _integer(self, value: object, rule: JsonObject, pointer: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            _wrong("a whole number", pointer)
        return int(_within(value, rule, pointer))

    def _number(self, value: object, rule: JsonObject, pointer: str) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            _wrong("a number", pointer)
        return _within(value, rule, pointer)

    def _boolean(self, value: object, rule: JsonObject, pointer: str) -> bool:
        if not isinstance(value, bool):
            _wrong("true or false", pointer)
        if "only" in rule and value is not rule["only"]:
            only = json.dumps(rule["only"])
            raise RequestError(f"Only {only} is accepted here.", pointer=pointer)
        return value

    def _json(self, value: object, rule: JsonObject, pointer: str) -> Any:
        """Any JSON, such as a schema: only its characters and its size are checked.

        The pointer stays at the schema itself: one longer at every level would be copied as often.
        """
        if isinstance(value, dict):
            return {
                check_text(name, pointer=pointer): self.value(item, rule, pointer)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.value(item, rule, pointer) for item in value]
        return check_text(value, pointer=pointer) if isinstance(value, str) else value

    def _map(self, value: object, rule: JsonObject, pointer: str) -> JsonObject:
        if not isinstance(value, dict):
            _wrong("an object", pointer)
        if len(value) > rule["most"]:
            raise RequestError(f"Send at most {rule['most']} members.", pointer=pointer)
        return {
            check_text(name, pointer=pointer): self.value(item, rule["items"], f"{pointer}/{name}")
            for name, item in value.items()
        }

    def _either(self, value: object, rule: JsonObject, pointer: str) -> Any:
        """Text, list or object: the JSON type of the value chooses the rule."""
        names: dict[type, str] = {str: "text", list: "list", dict: "object"}
        name = names.get(type(value))
        if name is None or name not in rule:
            _wrong(" or ".join(known for known in names.values() if known in rule), pointer)
        return self.value(value, rule[name], pointer)

    def _variant(self, value: object, rule: JsonObject, pointer: str) -> Any:
        """An object whose member `by` says which shape it has."""
        if not isinstance(value, dict):
            _wrong("an object", pointer)
        by = rule["by"]
        kind = value.get(by)
        if not isinstance(kind, str) or kind not in rule["variants"]:
            known = ", ".join(rule["variants"])
            raise RequestError(f"Write one of {known}.", pointer=f"{pointer}/{by}")
        return self.value(value, rule["variants"][kind], pointer)


def _within(value: float, rule: JsonObject, pointer: str) -> float:
    if not rule["least"] <= value <= rule["most"]:
        raise RequestError(
            f"Write a number from {rule['least']} to {rule['most']}.", pointer=pointer
        )
    return value


def _wrong(expected: str, pointer: str) -> NoReturn:
    raise RequestError(f"Write {expected} here.", pointer=pointer)


def _not_allowed(name: str, pointer: str) -> NoReturn:
    shown = name if name.isascii() and name.isprintable() and len(name) <= 64 else "…"  # noqa: PLR2004
    why = _TABLE["refused"].get(name) if not pointer else None
    where = f"{pointer}/{shown}"
    raise Refused(
        Decision(
            allowed=False,
            reason=Reason.FIELD_NOT_ALLOWED,
            detail=f"The field {where} is not allowed here" + (f": {why}." if why else "."),
        )
    )
