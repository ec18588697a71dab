"""What an organisation makes its own, and every mistake in it told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_openai.appearance import Appearance, Written
from secure_openai.appearance.colour import TEXT, contrast
from secure_openai.appearance.document import GROUNDS, read_appearance, readable
from secure_openai.errors import AppearanceError
from tests.edge.test_design import tokens

GOOD = """version = 1
name = "Contoso Assistant"
welcome = "Ask about anything but customers."

[colours]
light = "#0f6cbd"
dark = "#62abf5"

[notice]
title = "Before you begin"
text = "Read **this**."

[[suggestions]]
title = "Shorten a text"
text = "Shorten this text: "

[[links]]
text = "House rules"
url = "https://contoso.example/rules"

[[deployments]]
name = "chat"
good_for = "Everyday questions"

[[prompts]]
name = "Minutes"
text = "Write minutes of: "

[[prompts]]
name = "Reply"
text = "Reply politely to: "
"""

MISTAKES = {
    "no TOML": ("version = \n", "a.toml:1: this is not TOML"),
    "no version": (GOOD.replace("version = 1\n", ""), "write version = 1"),
    "another version": (GOOD.replace("= 1\n", "= 2\n", 1), "a.toml:1: write version = 1"),
    "misspelt": (GOOD.replace("welcome", "welcom"), "a.toml:3: 'welcom' is not known here"),
    "suggested": (GOOD.replace("welcome", "welcom"), "did you mean 'welcome'?"),
    "a name that is none": (GOOD.replace('"Contoso Assistant"', "7"), "a.toml:2: write name ="),
    "an empty name": (GOOD.replace("Contoso Assistant", " "), "a.toml:2: write name ="),
    "a long name": (GOOD.replace("Contoso Assistant", "C" * 41), "name has 41 characters"),
    "two lines": (GOOD.replace("Contoso Assistant", "a\\nb"), "a.toml:2: write name on one line"),
    "a bell": (GOOD.replace("Contoso Assistant", "a\\u0007b"), "a.toml:2: name has characters"),
    "colours as text": ("version = 1\ncolours = 'red'\n", "a.toml:2: write a table [colours]"),
    "a colour's name": (GOOD.replace("#0f6cbd", "red"), 'a.toml:6: write light = "#rrggbb"'),
    "a colour as number": (GOOD.replace('"#0f6cbd"', "1"), 'a.toml:6: write light = "#rrggbb"'),
    "an unknown theme": (GOOD.replace("light =", "ligth ="), "did you mean 'light'?"),
    "pale on white": (GOOD.replace("#0f6cbd", "#9ad0ff"), "a.toml:6: #9ad0ff stands out 1.5 to 1"),
    "dark on black": (GOOD.replace("#62abf5", "#0f3a70"), "a.toml:7: #0f3a70 stands out 1."),
    "a notice as text": ("version = 1\nnotice = 'x'\n", "a.toml:2: write a table [notice]"),
    "a notice of nothing": (GOOD.replace('text = "Read', 'txt = "Read'), "write text = and a text"),
    "rows as a table": ("version = 1\n[prompts]\nname = 'x'\n", "a.toml:2: write [[prompts]] with"),
    "a row without text": (GOOD + "[[prompts]]\nname = 'x'\n", "a.toml:32: write text = and a"),
    "the second of two": (GOOD.replace('"Reply"', "2"), "a.toml:30: write name = and a text"),
    "named twice": (GOOD.replace('"Reply"', '"Minutes"'), "a.toml:30: 'Minutes' is there twice"),
    "too many": (GOOD + "[[links]]\ntext='x'\nurl='https://x'\n" * 6, "there are 7 links"),
    "a script as link": (
        GOOD.replace("https://contoso.example/rules", "javascript:alert(1)"),
        "a.toml:19: write url = and an address that begins with https://",
    ),
    "a link without TLS": (GOOD.replace("https://contoso", "http://contoso"), "begins with https"),
    "no such logo": ("version = 1\nlogo = 'none.png'\n", "none.png cannot be read: No such file"),
    "a logo as number": ("version = 1\nlogo = 1\n", "a.toml:2: write logo = and a file's name"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    """One clear sentence: what is wrong, where, and what to write instead."""
    text, told = MISTAKES[name]
    with pytest.raises(AppearanceError) as refused:
        read_appearance(text, source="a.toml", folder=tmp_path)

    assert told in refused.value.detail
    assert all(problem.startswith("a.toml:") for problem in refused.value.problems)
    assert all(problem.endswith((".", "?")) for problem in refused.value.problems)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """In the order of their lines."""
    text = GOOD.replace("Contoso Assistant", "").replace("#0f6cbd", "blue").replace("Minutes", "")
    with pytest.raises(AppearanceError) as refused:
        read_appearance(text, source="a.toml", folder=tmp_path)

    lines = [int(problem.split(":")[1]) for problem in refused.value.problems]
    assert lines == sorted(lines)
    assert len(lines) == 3


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Everything that a file can say."""
    read = read_appearance(GOOD, source="a.toml", folder=tmp_path)

    assert read.name == "Contoso Assistant"
    assert read.accents == {"light": "#0f6cbd", "dark": "#62abf5"}
    assert read.notice == Written("Before you begin", "Read **this**.")
    assert read.suggestions == (Written("Shorten a text", "Shorten this text:"),)
    assert read.links == (Written("House rules", "https://contoso.example/rules"),)
    assert read.deployments == (Written("chat", "Everyday questions"),)
    assert [one.name for one in read.prompts] == ["Minutes", "Reply"]


def test_another_notice_is_accepted_anew(tmp_path: Path) -> None:
    """An acceptance is kept with what it was of."""
    one = read_appearance(GOOD, source="a.toml", folder=tmp_path)
    other = read_appearance(GOOD.replace("**this**", "that"), source="a.toml", folder=tmp_path)

    assert one.notice_digest != other.notice_digest
    assert Appearance().notice_digest is None


def test_nothing_needs_to_be_said() -> None:
    """Without a file, and without anything in it, everything looks as it ships."""
    assert Appearance.load(None) == Appearance()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, or no UTF-8."""
    (tmp_path / "latin.toml").write_bytes(b'name = "M\xfcller"')
    with pytest.raises(AppearanceError, match=r"none\.toml: the file cannot be read"):
        Appearance.load(tmp_path / "none.toml")
    with pytest.raises(AppearanceError, match=r"latin\.toml: the file is not UTF-8"):
        Appearance.load(tmp_path / "latin.toml")


@pytest.mark.parametrize("theme", GROUNDS)
@pytest.mark.parametrize("colour", ["#ffff00", "#777777", "#000000", "#ffffff", "#ff0000"])
def test_a_readable_colour_is_proposed(colour: str, theme: str) -> None:
    """The one that a problem names passes itself."""
    found = readable(colour, theme)

    assert all(contrast(found, ground) >= TEXT for ground in GROUNDS[theme])


@pytest.mark.parametrize("theme", GROUNDS)
def test_the_grounds_are_those_of_the_pages(theme: str) -> None:
    """What accents are held against is what they stand on."""
    style = tokens(theme)

    assert {style[name] for name in ("page", "raised", "overlay")} == set(GROUNDS[theme])
