"""Check a value against a rule, and rebuild it: what no rule names does not come through.

A rule is data (`tables/`): a type, its bounds, and for objects the members that may be there. The
types are `object`, `list`, `text`, `integer`, `number`, `boolean`, `nothing`, `json`, `map`,
`either` and `variant`; `use` names a rule of the table. A member that is `left_out` may be there,
whatever it says unless `only_null`, and does not go on: clients send whole answers back, with what
they made of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

from secure_openai.errors import Refused, RequestError
from secure_openai.policy.text import check_text
from secure_openai.types import Decision, JsonObject, Reason

LARGEST_NODES = 100_000
"""How many values a request may hold in all."""

LONGEST_SHOWN = 64
"""A name that is longer is not repeated to whoever sent it."""

REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
"""What a schema calls the address of another one."""

DIALECT = re.compile(
    r"https?://json-schema\.org/(?:draft-0[3467]|draft/2019-09|draft/2020-12)/schema#?"
)
"""Addresses that name a dialect and are not fetched (JSON Schema 2020-12, 8.1.1)."""

DATA = frozenset({"const", "default", "enum", "examples"})
"""Members of a schema that hold what it describes, and no schema."""

NAMED = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)
"""Members of a schema that hold schemas by names that anybody chooses."""

ANYTHING: JsonObject = {"type": "json", "null": True}


class Check:
    """One walk over one request.

    Args:
        admitted: Members of the outermost object that policy lets through besides those listed.
    """

    def __init__(self, *, admitted: frozenset[str] = frozenset()) -> None:
        self._admitted = admitted
        self._nodes = 0

    def value(self, value: object, rule: JsonObject, pointer: str) -> Any:
        """Return `value` rebuilt by `rule`, one that is `resolved`.

        Raises:
            RequestError: It does not fit.
            Refused: It holds a field that is not on the list.
        """
        self._nodes += 1
        if self._nodes > LARGEST_NODES:
            raise RequestError(f"The request holds more than {LARGEST_NODES} values.")
        if value is None and rule.get("null"):
            return None
        return _TYPES[rule["type"]](self, value, rule, pointer)

    def _object(self, value: object, rule: JsonObject, pointer: str) -> JsonObject:
        if not isinstance(value, dict):
            _wrong("an object", pointer)
        members = rule["members"]
        if not value.keys() <= members.keys():
            for name in value:
                if name not in members and (pointer or name not in self._admitted):
                    not_allowed(name, pointer, rule.get("refused", {}).get(name))
        for name in rule.get("required", ()):
            if name not in value:
                raise RequestError("This member is missing.", pointer=f"{pointer}/{name}")
        rebuilt = {}
        for name, member in value.items():
            known, where = members.get(name, ANYTHING), f"{pointer}/{name}"
            if known["type"] != "left_out":
                rebuilt[name] = self.value(member, known, where)
            elif member is not None and known.get("only_null"):
                # What else it says is lost, and nothing that matters with it.
                _wrong("null", where)
        return rebuilt

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
        least, most = rule.get("least", 0), rule.get("most")
        if len(value) < least or (most is not None and len(value) > most):
            said = f"at least {least}" if most is None else f"{least} to {most}"
            raise RequestError(f"Write {said} characters.", pointer=pointer)
        form = rule.get("form")
        if form is not None and re.match(form, value) is None:
            raise RequestError(
                f"Send the content itself, such as {rule['example']}: nothing is fetched for you.",
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

    def _nothing(self, value: object, rule: JsonObject, pointer: str) -> NoReturn:  # noqa: ARG002 - as each type's
        """What may be written as null and says nothing."""
        _wrong("null", pointer)

    def _json(self, value: object, rule: JsonObject, pointer: str) -> Any:
        """Any JSON, such as a schema: only its characters and its size are checked.

        A `schema` refers to nothing outside itself (JSON Schema 2020-12, 8.2.3): whoever read that
        would fetch it. The pointer stays at the schema itself: one longer at every level would be
        copied as often.
        """
        if isinstance(value, dict):
            if rule.get("schema"):
                _refers_to_itself(value, pointer)
            return {
                check_text(name, pointer=pointer): self.value(
                    item, _within_schema(name, rule), pointer
                )
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
        """Text, list, object or whole number: the JSON type of the value chooses the rule."""
        names: dict[type, str] = {str: "text", list: "list", dict: "object", int: "integer"}
        name = names.get(type(value))
        if name is None or name not in rule:
            _wrong(" or ".join(known for known in names.values() if known in rule), pointer)
        return self.value(value, rule[name], pointer)

    def _variant(self, value: object, rule: JsonObject, pointer: str) -> Any:
        """An object whose member `by` says which shape it has; `default` where it may be left out.

        What the rule names as refused is refused by policy, with its reason.
        """
        if not isinstance(value, dict):
            _wrong("an object", pointer)
        by = rule["by"]
        kind = value.get(by, rule.get("default"))
        if isinstance(kind, str) and kind in rule.get("refused", {}):
            refuse(
                f"{kind} at {pointer}/{by} is not allowed here: {rule['refused'][kind]}.",
                f"{pointer}/{by}",
            )
        if not isinstance(kind, str) or kind not in rule["variants"]:
            known = ", ".join(rule["variants"])
            raise RequestError(f"Write one of {known}.", pointer=f"{pointer}/{by}")
        return self.value(value, rule["variants"][kind], pointer)


_TYPES: Mapping[str, Callable[[Check, object, JsonObject, str], Any]] = {
    name: getattr(Check, f"_{name}")
    for name in (
        "boolean",
        "either",
        "integer",
        "json",
        "list",
        "map",
        "nothing",
        "number",
        "object",
        "text",
        "variant",
    )
}
"""What checks a value of each type."""


def resolved(rule: JsonObject, types: JsonObject) -> JsonObject:
    """Return a rule with the rules that it names with `use` in their places.

    Args:
        rule: Any rule.
        types: The rules that are named; one may hold itself.
    """
    named: JsonObject = {name: {} for name in types}

    def placed(part: Any) -> Any:
        if isinstance(part, dict):
            if "use" in part:
                return named[part["use"]]
            return {name: placed(inner) for name, inner in part.items()}
        return [placed(inner) for inner in part] if isinstance(part, list) else part

    for name, one in types.items():
        named[name].update(placed(one))
    whole: JsonObject = placed(rule)
    return whole


_SCHEMA: JsonObject = {"type": "json", "schema": "one"}
_SCHEMAS: JsonObject = {"type": "json", "schema": "named"}


def _within_schema(name: str, rule: JsonObject) -> JsonObject:
    """Return the rule of a member of any JSON: in a schema some hold data, or schemas by name."""
    kind = rule.get("schema")
    if not kind:
        return rule
    if kind == "named":
        return _SCHEMA
    return ANYTHING if name in DATA else _SCHEMAS if name in NAMED else _SCHEMA


def _refers_to_itself(schema: JsonObject, pointer: str) -> None:
    """Refuse a schema that names another.

    Whatever is no text is a member that is only called so.

    Raises:
        RequestError: It does.
    """
    for name in REFERENCES & schema.keys():
        address = schema[name]
        if not isinstance(address, str):
            continue
        if not address.startswith("#"):
            raise RequestError(f"Begin {name} with #: nothing is fetched for you.", pointer=pointer)
        if _leads_into_data(address):
            raise RequestError(
                f"Let {name} lead to a schema, not into const, default, enum or examples.",
                pointer=pointer,
            )
    dialect = schema.get("$schema")
    if isinstance(dialect, str) and not DIALECT.fullmatch(dialect):
        raise RequestError(
            "Leave $schema out, or write https://json-schema.org/draft/2020-12/schema: nothing is "
            "fetched for you.",
            pointer=pointer,
        )


def _leads_into_data(address: str) -> bool:
    """Return whether a reference makes data a schema, whose own references nobody has looked at."""
    steps = iter(unquote(address).split("/")[1:])
    for step in steps:
        if step in DATA:
            return True
        if step in NAMED:
            next(steps, None)
    return False


def _within(value: float, rule: JsonObject, pointer: str) -> float:
    if not rule["least"] <= value <= rule["most"]:
        raise RequestError(
            f"Write a number from {rule['least']} to {rule['most']}.", pointer=pointer
        )
    return value


def _wrong(expected: str, pointer: str) -> NoReturn:
    raise RequestError(f"Write {expected} here.", pointer=pointer)


def not_allowed(name: str, pointer: str, why: str | None) -> NoReturn:
    """Refuse what is not on the list, by name.

    Raises:
        Refused: Always.
    """
    shown = name if name.isascii() and name.isprintable() and len(name) <= LONGEST_SHOWN else "…"
    where = f"{pointer}/{shown}"
    refuse(f"The field {where} is not allowed here" + (f": {why}." if why else "."), where)


def refuse(detail: str, pointer: str) -> NoReturn:
    """Refuse what a request holds and policy does not let through.

    Raises:
        Refused: Always.
    """
    raise Refused(
        Decision(allowed=False, reason=Reason.FIELD_NOT_ALLOWED, detail=detail, pointer=pointer)
    )
