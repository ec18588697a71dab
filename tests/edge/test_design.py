"""The tokens of the design: every pair of colours that meets on a page can be read."""

from __future__ import annotations

import re

import pytest

from secure_openai.appearance.colour import EDGE, TEXT, contrast
from secure_openai.edge.assets import FOLDER

THEMES = ("light", "dark")
GROUNDS = ("page", "raised", "sunken", "overlay", "tint", "mine")
TEXTS = ("text", "soft")
CODE = ("keyword", "string", "number", "comment", "function", "name")
PAIRS = [
    *((ink, ground, TEXT) for ink in TEXTS for ground in GROUNDS),
    *(("accent", ground, TEXT) for ground in ("page", "raised", "overlay")),
    *(("accent-deep", ground, TEXT) for ground in ("page", "raised", "overlay", "tint")),
    *(("on-accent", ground, TEXT) for ground in ("accent", "accent-deep")),
    *((kind, f"{kind}-tint", TEXT) for kind in ("danger", "good", "warn")),
    *(
        (kind, ground, TEXT)
        for kind in ("danger", "good", "warn")
        for ground in ("page", "overlay")
    ),
    *(
        (edge, ground, EDGE)
        for edge in ("edge", "accent")
        for ground in ("page", "raised", "overlay")
    ),
    ("page", "text", TEXT),
    ("warn", "warn-tint", TEXT),
    *((f"code-{kind}", "sunken", TEXT) for kind in CODE),
    ("danger", "sunken", TEXT),
]


def tokens(theme: str) -> dict[str, str]:
    """Return every colour by its name."""
    style = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.css"))
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", style)
    return {name: (light, dark)[THEMES.index(theme)] for name, light, dark in found}


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_read_stands_out(theme: str) -> None:
    """Text 4.5 and edges of controls 3 to 1, in both themes (WCAG 2.2, 1.4.3 and 1.4.11)."""
    colours = tokens(theme)
    faint = [
        f"{ink} on {ground}: {contrast(colours[ink], colours[ground]):.2f}"
        for ink, ground, least in PAIRS
        if contrast(colours[ink], colours[ground]) < least
    ]

    assert faint == []


def test_black_on_white_is_the_most_there_is() -> None:
    """The measure is that of WCAG."""
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


def test_no_style_names_a_colour_apart_from_the_tokens() -> None:
    """Components take colours by name, so that both themes have them."""
    for path in FOLDER.glob("*.css"):
        rest = path.read_text("utf-8")
        rest = re.sub(r"light-dark\([^)]*\)", "", rest)

        assert re.findall(r"#[0-9a-f]{3,8}\b(?!-)", rest) == [], path.name


def test_motion_stops_where_it_is_not_wanted() -> None:
    """`prefers-reduced-motion` ends every animation and transition."""
    style = (FOLDER / "style.css").read_text("utf-8")
    _, _, calm = style.partition("@media (prefers-reduced-motion: reduce)")

    assert "animation-duration: 1ms !important" in calm
    assert "transition-duration: 0s !important" in calm
