"""Bodies drawn by the rules of an API, and spoilt: values first, then their spelling."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from secure_openai.types import JsonObject


class Spelt(str):
    """JSON that is written as it is."""

    __slots__ = ()


def deep(levels: int, around: str) -> Spelt:
    """Return JSON of so many levels."""
    text = "1"
    for _ in range(levels):
        text = around.format(text)
    return Spelt(text)


PLAIN = ("a", "a: b", "<b>", '":"', "\\", "\t\r\n", "/", "\x7f", "\u2028", "ü漢😀", "type")
LIKE_ESCAPES = ("\\b", "\\\\u0000", "\\u003a")
REFUSED = ("\x00", "\x1b", "\b", "\f", "\x1f", "\ud800", "\udc00\ud800")
LIKE_VALUES = ("1", "1.5", "true", "no", "null", "{}")
SIZES = ("", "x" * 65, "😀" * 64, "😀" * 65, "ä" * 16, "ä" * 17)
NUMBERS = (
    *("0", "-0", "-0.0", "1", "1.0", "1e0", "0.5", "2.0", "1e2", "9007199254740991"),
    *("9007199254740992", "-9007199254740993", "1" + "0" * 30, "1e999", "-1e999", "1e-999"),
    *("NaN", "-Infinity", "01", "1.", "+1", ".5"),
)
NESTED = (deep(20, "[{}]"), deep(40, '{{"a":{}}}'), deep(70, "[{}]"), deep(70, '{{"a":{}}}'))
ODD: tuple[Any, ...] = (
    *(Spelt(number) for number in NUMBERS),
    *(*PLAIN, *LIKE_ESCAPES, *REFUSED, *LIKE_VALUES, *SIZES, *NESTED),
    *(True, False, None, [], {}, [1], [None], ["a"], {"type": "text"}, {"a": 1}),
)
"""What hardly fits anywhere."""

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef", "$schema", "$id")
ADDRESSES = (
    *("#", "#/$defs/a", "#/definitions/const", "#/$defs/a/const", "#/%63onst", "#/const", "#a"),
    *("", "http://evil.example/x", "x.json", "#/$defs/a\n", "#/$defs/ä"),
    *("http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-07/schema#\n"),
    *("https://json-schema.org/draft/2020-12/schema", "https://json-schema.org.evil.example/x"),
)
NAMES = ("type", "properties", "const", "$defs", "items", "default", "enum", ":", *REFERENCES)
SPACE = ("", "", "", " ", "\n", "\t \r\n")


def fitting(drawn: random.Random, rule: JsonObject) -> Any:
    """Return what fits a rule, or now and then just does not."""
    if drawn.random() < 0.003:
        return drawn.choice(ODD)
    if rule.get("null") and drawn.random() < 0.1:
        return None
    return KINDS[rule["type"]](drawn, rule, near=drawn.random() < 0.01)


def _object(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    left_out = drawn.random()
    members = [
        (name, fitting(drawn, one))
        for name, one in rule["members"].items()
        if (name in rule.get("required", ()) and not near)
        or (drawn.random() > left_out and (near or one["type"] != "left_out"))
    ]
    drawn.shuffle(members)
    return dict(members)


def _text(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    if "values" in rule:
        return drawn.choice((*rule["values"], *(("", "Auto") if near else ())))
    if "form" in rule:
        before = ("", "x", " ", "\n", "data:image/png;base64") if drawn.random() < 0.1 else ("",)
        return f"{drawn.choice(before)}data:image/png;base64,AA:A="
    least, most = rule.get("least", 0), rule.get("most", 300)
    if near and most < 20_000:
        return drawn.choice(("ä", "😀", "x")) * drawn.choice((most, most + 1, least, 0))
    if drawn.random() < 0.003:
        return drawn.choice((*LIKE_ESCAPES, *REFUSED))
    return (drawn.choice(PLAIN) * drawn.randrange(1, 9))[:most]


def _list(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    least, most = rule.get("least", 0), rule["most"]
    size = min(least + drawn.randrange(4), most)
    if near and most < 300:
        size = drawn.choice((most, most + 1, max(0, least - 1)))
    return [fitting(drawn, rule["items"]) for _ in range(size)]


def _map(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    names = [str(number) for number in range(rule["most"] + 1)] if near else [drawn.choice(PLAIN)]
    return {name: fitting(drawn, rule["items"]) for name in names}


def _number(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    least, most = rule["least"], rule["most"]
    if near:
        return drawn.choice((least - 1, most + 1, float(most), least - 0.5))
    part = (float(least), most - 0.5) if rule["type"] == "number" else ()
    return drawn.choice((least, least + 1, most, *part))


def _boolean(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    return drawn.choice((0, 1)) if near else rule.get("only", drawn.random() < 0.5)


def _either(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    kinds = [name for name in ("text", "list", "object", "integer") if name in rule]
    return drawn.choice((None, True, 1.0)) if near else fitting(drawn, rule[drawn.choice(kinds)])


def _nothing(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    return drawn.choice(ODD) if near and rule else None


def _variant(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    by, kind = rule["by"], drawn.choice([*rule["variants"]])
    value = fitting(drawn, rule["variants"][kind])
    if not isinstance(value, dict):
        return value
    value.pop(by, None)
    if kind == rule.get("default") and drawn.random() < 0.5:
        return value
    kinds = [*rule["variants"], *rule.get("refused", ())]
    members = [*value.items(), (by, drawn.choice(kinds) if near else kind)]
    drawn.shuffle(members)
    return dict(members)


def _schema(drawn: random.Random, levels: int) -> Any:
    """Return a schema, or any other JSON, with references to here and elsewhere."""
    if drawn.random() < 0.005:
        return drawn.choice(ODD)
    if drawn.random() < 0.03:
        return {drawn.choice(REFERENCES): drawn.choice(ADDRESSES), "type": "object"}
    if not levels:
        return drawn.choice((*PLAIN, 1, 1.0, -0.5, True, None, [], {}, 2**53 - 1, "$ref"))
    inner = [_schema(drawn, levels - 1) for _ in range(drawn.randrange(4))]
    if drawn.random() < 0.3:
        return inner
    return {drawn.choice((*PLAIN, *NAMES)): one for one in inner}


def _json(drawn: random.Random, rule: JsonObject, *, near: bool) -> Any:
    return drawn.choice(NESTED) if near and rule else _schema(drawn, drawn.choice((1, 2, 3, 5)))


KINDS: dict[str, Callable[..., Any]] = {
    "boolean": _boolean,
    "either": _either,
    "integer": _number,
    "json": _json,
    "left_out": _nothing,
    "list": _list,
    "map": _map,
    "nothing": _nothing,
    "number": _number,
    "object": _object,
    "text": _text,
    "variant": _variant,
}


def spoilt(drawn: random.Random, value: Any) -> Any:
    """Return a value with one place in it changed."""
    if isinstance(value, dict) and value and drawn.random() < 0.8:
        name, what = drawn.choice([*value]), drawn.random()
        if what < 0.7:
            return {**value, name: spoilt(drawn, value[name])}
        if what < 0.85:
            return {one: value[one] for one in value if one != name}
        unknown = ("user", "store", "x", "type", ":", "temperature ", "audio", "a\x00")
        return {**value, drawn.choice(unknown): drawn.choice(ODD)}
    if isinstance(value, list) and value and drawn.random() < 0.8:
        place = drawn.randrange(len(value))
        return [*value[:place], spoilt(drawn, value[place]), *value[place + 1 :]]
    return drawn.choice(ODD)


def written(drawn: random.Random, value: Any, *, twice: float) -> str:
    """Return the JSON of a value in one of its spellings, with a member twice so often."""
    space = drawn.choice(SPACE)
    if isinstance(value, list):
        return f"[{f',{space}'.join(written(drawn, one, twice=twice) for one in value)}{space}]"
    if isinstance(value, dict):
        members = [
            f"{_spelling(drawn, name)}{space}:{written(drawn, one, twice=twice)}"
            for name, one in value.items()
            for _ in range(2 if drawn.random() < twice else 1)
        ]
        return "{" + f",{space}".join(members) + "}"
    return _spelling(drawn, value) if isinstance(value, str) else json.dumps(value)


def _spelling(drawn: random.Random, text: str) -> str:
    """Return the JSON of a text, escaped by one habit or another."""
    if isinstance(text, Spelt):
        return str(text)
    told = json.dumps(text, ensure_ascii=drawn.random() < 0.5)
    if drawn.random() < 0.5:
        told = told.replace("<", "\\u003c").replace(">", "\\u003E")
    if drawn.random() < 0.01:
        told = told.replace(":", "\\u003A").replace("a", "\\u0061").replace("t", "\\u0074", 1)
    return told
