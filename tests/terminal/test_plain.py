"""What a model writes does nothing to the terminal that shows it."""

from __future__ import annotations

import pytest

from secure_openai.terminal.plain import LONGEST_SENTENCE, plain, sentence

ATTACKS = {
    "colours (CSI)": "\x1b[31mred\x1b[0m",
    "clears the screen": "\x1b[2J\x1b[H",
    "moves over what was written": "safe\x1b[1A\x1b[2Kevil",
    "window title (OSC 0)": "\x1b]0;title\x07",
    "writes to the clipboard (OSC 52)": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "a link that lies (OSC 8)": "\x1b]8;;https://evil.example\x1b\\bank\x1b]8;;\x1b\\",
    "asks for an answer in the input (DSR)": "\x1b[6n\x1b[c",
    "device control (DCS)": "\x1bPq#0;2;0;0;0\x1b\\",
    "application command (APC)": "\x1b_Ga=T;AAAA\x1b\\",
    "reset": "\x1bc",
    "8-bit CSI": "\x9b31m",
    "8-bit OSC": "\x9d0;title\x9c",
    "carriage return over the line": "harmless\rrm -rf",
    "backspaces": "harmless\x08\x08\x08evil",
    "bell": "\x07",
    "shift out": "\x0e",
    "null and delete": "a\x00b\x7fc",
    "vertical tab and form feed": "a\x0bb\x0cc",
    "right-to-left override": "exe.\u202etxt.",
    "isolates": "a\u2066b\u2069c",
    "direction marks": "a\u200eb\u200fc\u061cd",
    "line separators": "a\u2028b\u2029c",
    "letters that nobody sees": "a\U000e0041\U000e007fb",
    "half of a surrogate pair": "a\ud83db",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_nothing_that_is_obeyed_passes(attack: str) -> None:
    """Wherever the stream is cut, only what can be read is left, and it can be written out."""
    shown = plain(attack)

    assert shown == "".join(plain(one) for one in attack)
    assert all(one.isprintable() or one in "\n\t" for one in shown)
    assert shown.encode().decode() == shown


def test_what_can_be_read_stays() -> None:
    """Tabs, line feeds, every script, and signs made of several code points."""
    text = "def f():\n\treturn 'é'  # 漢字 עברית हिन्दी 👩\u200d🚀 ❤\ufe0f"

    assert plain(text) == text


def test_a_sentence_is_one_line() -> None:
    """A server's words take one line, and do not run on."""
    assert sentence("a\r\nb\x1b[2J\n\nc") == "a b[2J c"
    assert len(sentence("x" * 10_000)) == LONGEST_SENTENCE
