"""A body is read the same, and refused the same, by the quick reader and by the strict one."""

from __future__ import annotations

import json
import random

import pytest

from secure_openai.errors import RequestError
from secure_openai.policy import json_text
from secure_openai.policy.json_text import parse_json
from secure_openai.policy.text import check_text

LONG = "a long prompt " * 1_000
SPACE = ("", " ", "\n", "\t \r\n")


def outcome(text: bytes) -> object:
    """Return the value of a body by its spelling, which tells 1 from 1.0, or the refusal."""
    try:
        return json.dumps(parse_json(text))
    except RequestError as error:
        return error.detail


def written(drawn: random.Random, depth: int = 0) -> str:
    """Return any JSON, and now and then what is none."""
    space = drawn.choice(SPACE)
    if depth < 4 and drawn.random() < 0.6:
        inner = [written(drawn, depth + 1) for _ in range(drawn.randrange(4))]
        if drawn.random() < 0.4:
            return f"[{space}{f'{space},'.join(inner)}]"
        names = [
            drawn.choice(('"a"', '"b"', '"c"', '":"', '"\\\\"', '""', '"\\u0061"', '"\\u003a"'))
            for _ in inner
        ]
        told = f",{space}".join(f"{n}{space}:{v}" for n, v in zip(names, inner, strict=True))
        return "{" + told + space + "}"
    return drawn.choice(
        (
            *("1", "-0", "0.5", "1e3", "9007199254740991", "9007199254740992", "-9007199254740993"),
            *("1e400", "123456789012345678901234567890", "NaN", "-Infinity", "01", "true", "null"),
            *(
                '""',
                '":"',
                '"\\":"',
                '" :"',
                '"\\\\"',
                '"\\u0000"',
                '"\\u003A"',
                '"a: b"',
                '"\\ud800"',
                '"ü"',
                '"',
                "\x01",
            ),
        )
    )


def test_any_body_is_read_as_the_strict_reader_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight thousand drawn bodies have one outcome by both ways, and most kinds are among them."""
    drawn = random.Random(6)
    quick = 0
    for _ in range(8_000):
        text = written(drawn).encode()
        found = outcome(text)
        quick += json_text._quickly(text, json_text.LARGEST_DEPTH) is not None
        with monkeypatch.context() as patch:
            patch.setattr(json_text, "_quickly", lambda *_: None)
            assert found == outcome(text), text

    assert quick > 500


@pytest.mark.parametrize(
    "body",
    [
        '{"a":1,"a":2}',
        '{"a":"x:y","a":2}',
        '{"a":2,"a":"x:y"}',
        '{"a":"\\u003a","a":2}',
        '{"a":2,"a":"\\u003A"}',
        '{"a":":","\\u003a":1,"\\u003a":2}',
        '{"a:":1,"a:":2}',
        '{"a":{"b":":"},"a":{"b":1}}',
        '{"a":[{"b":1,"b":":"}]}',
    ],
)
def test_no_colon_hides_a_repeated_member(body: str) -> None:
    """In a text or a name, written as itself or by its number, lost with a member or kept."""
    with pytest.raises(RequestError, match="repeats a member"):
        parse_json(body.encode())


@pytest.mark.parametrize(
    ("members", "refusal"),
    [
        ('"model":"m","model":"x"', "repeats a member"),
        ('"model":"m","model" :"x"', "repeats a member"),
        ('"model" \n: "m","model"\t:"x"', "repeats a member"),
        ('"model":"m","mod\\u0065l":"x"', "repeats a member"),
        ('"a":{"b":1,"b":2}', "repeats a member"),
        ('"n":9007199254740992', "A number is larger"),
        ('"n":-1e999', "A number is larger"),
        ('"n":NaN', "NaN is not a JSON number"),
        ('"n":' + "[" * 65 + "]" * 65, "nested deeper"),
        ('"n":' + "[" * 5_000 + "]" * 5_000, "nested deeper"),
        ('"n":01', "is not JSON"),
        ('"n":"\x01"', "is not JSON"),
    ],
)
@pytest.mark.parametrize("spread", [", ", ',"m":":",'])
def test_a_long_body_is_refused_as_a_short_one_is(members: str, refusal: str, spread: str) -> None:
    """Whatever hides beside a long text, one with quotation marks and colons in it too."""
    for text in (LONG, LONG + spread, LONG + ' said "so": and'):
        body = f'{{"text":{json.dumps(text)},{members}}}'.encode()

        with pytest.raises(RequestError, match=refusal):
            parse_json(body)


MANY = {
    "numbers": "[" + "1," * 490_000 + "1]",
    "lists": "[" + "[]," * 330_000 + "[]]",
    "objects": "[" + "{}," * 330_000 + "{}]",
    "texts": "[" + '"",' * 330_000 + '""]',
    "members": "{" + ",".join(f'"{number}":1' for number in range(110_000)) + "}",
    "the same member": "[" + ",".join('{"a":1}' for _ in range(110_000)) + "]",
    "a long number": "[" + "1," * 240_000 + "1" * 5_000 + "]",
    "what ends badly": "[" + "[]," * 330_000 + "[]",
    "what is told twice": "[" + "[]," * 330_000 + '{"a":1,"a":2}]',
    "no numbers": "[" + "NaN," * 240_000 + "NaN]",
}


@pytest.mark.parametrize("name", MANY)
def test_very_many_values_are_refused_before_they_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nobody waits for a mebibyte of them to be read with care, whatever else is wrong with it."""

    def careful(*_: object) -> None:
        raise AssertionError("the strict reader was asked")

    monkeypatch.setattr(json_text, "_strictly", careful)
    with pytest.raises(RequestError, match=r"more than 100000 values|is not JSON"):
        parse_json(MANY[name].encode())


def test_a_long_body_that_is_not_utf8_is_refused_by_the_byte() -> None:
    """The refusal says where."""
    with pytest.raises(RequestError, match="not UTF-8 at byte 14006"):
        parse_json(b'["' + LONG.encode() + b'",""\xff"]')


def test_a_long_text_comes_as_it_is() -> None:
    """Marks, colons, escapes, other scripts and half of a pair of surrogates are kept."""
    for more in ("", '":":"', "\\", "\n\t", "ü漢😀", "\ud800", '{"a":1,"a":2}'):
        value = {"text": LONG + more, "n": 2**53 - 1, "half": 0.5, "none": None, "list": [True]}

        assert value == parse_json(json.dumps(value).encode())


@pytest.mark.parametrize("code", [*range(0x20), 0xD800, 0xDFFF])
def test_a_control_is_found_in_a_text_of_any_length(code: int) -> None:
    """Each is refused with its place, or taken, wherever it stands in a short and a long text."""
    for before, after in ((0, 0), (3, 3), (20_000, 0), (0, 20_000), (20_000, 20_000)):
        text = "x" * before + chr(code) + "x" * after
        if chr(code) in "\t\n\r":
            assert check_text(text, pointer="/a") == text
            continue
        with pytest.raises(RequestError, match=f"U\\+{code:04X} at position {before} "):
            check_text(text, pointer="/a")
