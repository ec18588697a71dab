"""Take what plainly fits a rule, in one pass of compiled code over its text or its value.

Nearly every body fits. Reading one with care (`json_text`) and checking it with care (`rules`) says
of the others what is wrong with them; an acceptor says nothing of them. Whatever it takes, the
careful way takes, with the same value: where it cannot be as exact, it takes nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from types import MappingProxyType

from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema, to_json

from secure_openai.policy.json_text import LARGEST_INTEGER, Reading
from secure_openai.policy.rules import DIALECT, REFERENCES
from secure_openai.types import JsonObject

_ESCAPED = re.compile(rb"\\(?:u00(?:[01]|3[aA])|[bf])")
"""How an escape begins that may stand for a character that is refused, or for a colon."""

_CONFIG = core_schema.CoreConfig(strict=True, cache_strings="keys")
"""One type is not taken for another; what the texts of a request say is kept nowhere."""

LARGEST_BYTES = 16_384
"""Up to which size a text is taken while it is read. Of a longer one it is the value that is taken,
once it has been read with care: had it to be read again, refusing it would take as long again."""

LARGEST_VALUES = 32_768
"""How many values it may hold then. Care looks at each three times at most, as `either` and as a
`variant` and as what it is: at fewer than `rules.LARGEST_NODES` in all."""

LARGEST_JSON_DEPTH = 32
"""How many levels any JSON, such as a schema, may have to be taken: most have a dozen. With those
around it they are fewer than `json_text.LARGEST_DEPTH`."""


class Acceptor:
    """Takes what plainly fits one rule.

    Args:
        rule: The rule of an object, one that is `rules.resolved`. What it has of a type that is not
            known here is not taken.

    Raises:
        TypeError: Of a type that is known, a rule says what is not.
        RecursionError: A rule holds itself.
    """

    def __init__(self, rule: JsonObject) -> None:
        schema = _schema(rule)
        if schema is not None:
            schema = core_schema.definitions_schema(schema, _JSON)
        self._taking = None if schema is None else SchemaValidator(schema, _CONFIG)

    def accepted(self, text: bytes) -> JsonObject | None:
        """Return the value of a JSON text rebuilt by the rule, or `None` where care shall say.

        Each member has a colon after its name, and all others stand in texts: where the rebuilt
        value has as many as the text, no member was lost because another one had its name. Numbers
        and levels have their bounds in the rule, and so short a text cannot hold too many values.
        Members that the rule names stand in its order.
        """
        if self._taking is None or len(text) > LARGEST_BYTES or _ESCAPED.search(text):
            return None
        try:
            value: JsonObject = self._taking.validate_json(text)
        except ValidationError:
            return None
        return value if to_json(value).count(b":") == text.count(b":") else None

    def rebuilt(self, reading: Reading) -> JsonObject | None:
        """Return a value that was read rebuilt by the rule, or `None` where care shall say."""
        if self._taking is None or not reading.plain or reading.values > LARGEST_VALUES:
            return None
        try:
            value: JsonObject = self._taking.validate_python(reading.value)
        except ValidationError:
            return None
        return value


def _schema(rule: JsonObject, without: str | None = None) -> CoreSchema | None:
    """Return what takes a value that fits a rule, or `None` where that cannot be said exactly.

    Args:
        rule: Any rule.
        without: A member that the object must not have.
    """
    told = {name: said for name, said in rule.items() if name not in {"type", "null"}}
    if rule["type"] in {"object", "variant"}:
        told["without"] = without
    kind = _TYPES.get(rule["type"])
    schema = None if kind is None else kind(**told)
    return core_schema.nullable_schema(schema) if schema and rule.get("null") else schema


def _object(
    *,
    members: Mapping[str, JsonObject],
    required: Sequence[str] = (),
    refused: object = None,  # noqa: ARG001 - a member of the rule
    without: str | None,
) -> CoreSchema | None:
    schemas = {name: _schema(one) for name, one in members.items() if name != without}
    fields = {
        name: core_schema.typed_dict_field(schema, required=name in required)
        for name, schema in schemas.items()
        if schema is not None
    }
    if not {*required} <= fields.keys():
        return None
    # An object takes no configuration from what it stands in.
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid", config=_CONFIG)


def _list(*, items: JsonObject, most: int, least: int = 0) -> CoreSchema | None:
    schema = _schema(items)
    if schema is None:
        return None
    return core_schema.list_schema(schema, min_length=least, max_length=most, fail_fast=True)


def _map(*, items: JsonObject, most: int) -> CoreSchema | None:
    schema = _schema(items)
    if schema is None:
        return None
    return core_schema.dict_schema(
        core_schema.str_schema(), schema, max_length=most, fail_fast=True
    )


def _text(
    *,
    values: Sequence[str] | None = None,
    least: int = 0,
    most: int | None = None,
    form: str | None = None,
    example: object = None,  # noqa: ARG001 - a member of the rule
) -> CoreSchema:
    # Looked for anywhere unless it says where.
    pattern = None if form is None else rf"\A(?:{form})"
    text = core_schema.str_schema(
        min_length=least, max_length=most, pattern=pattern, regex_engine="python-re"
    )
    return _one_of(values, text)


def _integer(*, least: int, most: int) -> CoreSchema:
    return core_schema.int_schema(ge=least, le=most)


def _number(*, least: float, most: float) -> CoreSchema:
    # What is written as a whole number stays one.
    whole = core_schema.int_schema(ge=math.ceil(least), le=math.floor(most))
    return _union([whole, core_schema.float_schema(ge=least, le=most, allow_inf_nan=False)])


def _boolean(*, only: bool | None = None) -> CoreSchema:
    return _one_of(None if only is None else [only], core_schema.bool_schema())


def _nothing() -> CoreSchema:
    return core_schema.none_schema()


def _json(*, schema: object = None) -> CoreSchema:  # noqa: ARG001 - a member of the rule
    # What a schema must not hold is taken nowhere. It becomes a value of Python first: each type
    # that is tried in vain copies what it was told of a text, with all that it holds.
    levels = core_schema.definition_reference_schema(f"json {LARGEST_JSON_DEPTH}")
    return core_schema.chain_schema([core_schema.any_schema(), levels])


def _either(**rules: JsonObject) -> CoreSchema | None:
    # The JSON type of a value chooses, so that a rule must take no other, null included.
    return _first(
        _schema({**rule, "null": False})
        for name, rule in rules.items()
        if rule["type"] in _CHOSEN.get(name, ())
    )


def _variant(
    *,
    by: str,
    variants: Mapping[str, JsonObject],
    default: str | None = None,
    refused: Container[str] = (),
    without: str | None,
) -> CoreSchema | None:
    allowed = {name: rule for name, rule in variants.items() if name not in refused}
    schemas = {name: _schema(rule, without) for name, rule in allowed.items()}
    known = {name: schema for name, schema in schemas.items() if schema is not None}
    named = core_schema.tagged_union_schema(known, by) if known else None
    return _first([named, _schema(allowed[default], by) if default in allowed else None])


def _first(schemas: Iterable[CoreSchema | None]) -> CoreSchema | None:
    """Return what takes what any of them takes, as the first of these does."""
    known = [schema for schema in schemas if schema is not None]
    return _union(known) if known else None


def _union(schemas: Iterable[CoreSchema]) -> CoreSchema:
    # One word for all that did not take it: nobody reads why, and a body may have thousands.
    return core_schema.union_schema(
        [*schemas],
        mode="left_to_right",
        custom_error_type="refused",
        custom_error_message="None takes it.",
    )


def _one_of(values: Sequence[object] | None, schema: CoreSchema) -> CoreSchema:
    # By itself, a list of values takes 0 for false.
    if values is None:
        return schema
    return core_schema.chain_schema([schema, core_schema.literal_schema([*values])])


_ADDRESSES = dict.fromkeys(REFERENCES, r"#(?:/(?:\$defs|definitions)/[\w.-]+)?\Z") | {
    "$schema": rf"{DIALECT.pattern}\Z"
}
"""What a schema may refer to: itself, a schema of its own, or its dialect."""


def _json_level(level: int) -> CoreSchema:
    """Return what takes any JSON of so many levels, but for what a schema might have fetched."""
    schemas = [_text(), _boolean(), _number(least=-LARGEST_INTEGER, most=LARGEST_INTEGER)]
    if level:
        inner = core_schema.definition_reference_schema(f"json {level - 1}")
        fields = {
            name: core_schema.typed_dict_field(_text(form=form), required=False)
            for name, form in _ADDRESSES.items()
        }
        schemas[1:1] = [
            core_schema.typed_dict_schema(
                fields, extra_behavior="allow", extras_schema=inner, config=_CONFIG
            ),
            core_schema.list_schema(inner, fail_fast=True),
        ]
    return core_schema.nullable_schema(_union(schemas), ref=f"json {level}")


_JSON = [_json_level(level) for level in range(LARGEST_JSON_DEPTH + 1)]

_CHOSEN = {
    "text": {"text"},
    "list": {"list"},
    "object": {"object", "map", "variant"},
    "integer": {"integer"},
}
"""Which types take nothing else than what chooses them."""

_TYPES: Mapping[str, Callable[..., CoreSchema | None]] = MappingProxyType(
    {
        "boolean": _boolean,
        "either": _either,
        "integer": _integer,
        "json": _json,
        "list": _list,
        "map": _map,
        "nothing": _nothing,
        "number": _number,
        "object": _object,
        "text": _text,
        "variant": _variant,
    }
)
"""What each type takes: all but `left_out`, which has to be taken out."""
