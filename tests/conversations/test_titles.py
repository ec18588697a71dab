"""Titles: one plain line of a model's, or the first words of a question."""

from __future__ import annotations

import pytest

from secure_openai.conversations.titles import REMINDER, TITLE_CHARACTERS, first_words, title_in


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Holidays in Norway", "Holidays in Norway"),
        ("\n\n  **Holidays in Norway**  \nMore of it", "Holidays in Norway"),
        ('Title: "Holidays in Norway"', "Holidays in Norway"),
        ("# Titel: „Ferien in Norwegen“", "Ferien in Norwegen"),
        ("Ho\u202eli\u200bdays\x1b[31m\tin\x00 Norway\u2028", "Holidays[31m in Norway"),
        ("", ""),
        ("\n \n***\n", ""),
        ("x" * (TITLE_CHARACTERS + 1), ""),
        ("User: Hello Assistant: Hello", ""),
        ("Sure! Assistant : what", ""),
        (REMINDER, ""),
        ("<b onclick=x>Norway</b>", "<b onclick=x>Norway</b>"),
    ],
)
def test_what_a_model_wrote(written: str, title: str) -> None:
    """A title is one line, plain and short; anything else is none."""
    assert title_in(written) == title


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("  Hello\n\nthere\u202e  ", "Hello there"),
        ("\u200b\x00 \n", ""),
        ("word " * 100, "word " * 11 + "word…"),
        ("x" * 500, "x" * 59 + "…"),
    ],
)
def test_first_words(text: str, title: str) -> None:
    """The first words are cut between two, and hide nothing."""
    assert first_words(text) == title
    assert len(title) <= TITLE_CHARACTERS
