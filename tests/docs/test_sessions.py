"""What a page shows is compared with what is printed, and an elision hides no more than it may."""

from __future__ import annotations

import subprocess

import pytest

from tests.docs.sessions import Script, Step, steps


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ((), "a word"),
        (("one",), ""),
        (("one",), "one\ntwo"),
        (("one", "two"), "two\none"),
        (("one ... three",), "one three"),
        (("one ... three",), "one\nthree"),
        (("took ...",), "took "),
        (("...", "two"), "two"),
        (("one", "..."), "one"),
        (("a.b",), "aXb"),
    ],
)
def test_what_is_shown_otherwise_is_seen(shown: tuple[str, ...], printed: str) -> None:
    """More, less, another order; an elision stands for something, and never leaves its line."""
    assert not Step("x", shown).says(printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ((), "\n"),
        (("one", "two"), "one  \ntwo\n\n"),
        (("took ... s, ... MB",), "took 3 s, 4 MB"),
        (("one", "...", "four"), "one\ntwo\n\nfour"),
        (("Packing …",), "Packing …"),
    ],
)
def test_what_is_shown_as_printed_is_taken(shown: tuple[str, ...], printed: str) -> None:
    """Spaces at a line's end and empty lines around are nobody's business."""
    assert Step("x", shown).says(printed)


def test_an_elision_alone_says_nothing() -> None:
    """A page that hides everything that a command prints has shown nothing."""
    assert not Step("x", ("...",)).is_bounded
    assert Step("x", ("...", "the end")).is_bounded
    assert Step("x", ()).is_bounded


def test_a_session_is_one_shell() -> None:
    """What is exported stays, a line goes on where its prompt says so, and each end is told."""
    typed = steps(
        "$ export A=1\n$ cat <<'END'\n> $A\n>  > b\n> END\n$A\n > b\n$ echo $A >&2\n1\n$ false"
    )
    script = Script.of([one.typed for one in typed])
    printed = subprocess.run(
        ["sh", "-c", script.text], capture_output=True, text=True, check=True
    ).stdout
    answers = list(script.answers(printed))

    assert [code for _, code in answers] == [0, 0, 0, 1]
    assert [one.says(said) for one, (said, _) in zip(typed, answers, strict=True)] == [True] * 4


def test_a_session_begins_with_a_prompt() -> None:
    """Otherwise nobody knows what is typed."""
    with pytest.raises(ValueError, match="printed"):
        steps("printed\n$ typed")
