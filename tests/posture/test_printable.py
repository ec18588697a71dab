"""Nothing that an estate names moves a cursor, turns a line or runs on."""

from __future__ import annotations

import unicodedata

import pytest

from secure_openai.posture.printable import MOST, printable

HOSTILE = (
    "\x1b[2J\x1b[31mred",
    "\x00\x07\x08\x7f\x9b",
    "a\r\nb\tc",
    "abc\N{RIGHT-TO-LEFT OVERRIDE}fed",
    "\N{LEFT-TO-RIGHT ISOLATE}x\N{POP DIRECTIONAL ISOLATE}\N{RIGHT-TO-LEFT MARK}",
    "zero\N{ZERO WIDTH SPACE}width\N{ZERO WIDTH JOINER}\N{SOFT HYPHEN}",
    "half \ud83d and \udc00",
    "\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}\ufeff\ufffe\uffff",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_not_printed_is_written_out(text: str) -> None:
    """No control, no mark of direction, nothing invisible and no half of a pair is left."""
    shown = printable(text)

    assert {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"} == (
        set()
    )
    shown.encode("utf-8")


def test_a_mark_of_direction_is_named() -> None:
    """A reader sees that it was there, and which."""
    assert printable("a\N{RIGHT-TO-LEFT OVERRIDE}b") == "a⟨U+202E⟩b"


def test_words_of_any_language_stay() -> None:
    """Only what cannot be seen is written out."""
    assert printable("Geschäft — 日本語 ✓ 🔒") == "Geschäft — 日本語 ✓ 🔒"


def test_line_feeds_stay_where_lines_are_wanted() -> None:
    """And nowhere else."""
    assert printable("a\nb", lines=True) == "a\nb"
    assert printable("a\nb") == "a⟨U+000A⟩b"


def test_what_is_too_long_is_cut_and_says_so() -> None:
    """A name of ten megabytes is some hundred characters."""
    shown = printable("x" * 10_000_000)

    assert shown == "x" * MOST + "… (cut: 10,000,000 characters)"
