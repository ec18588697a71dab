"""Colours as people see them: how far one stands out from another.

Source: WCAG 2.2, "relative luminance" and "contrast ratio"; 1.4.3 asks 4.5 of text, 1.4.11 asks 3
of the edges of controls.
"""

from __future__ import annotations

import re

TEXT = 4.5
EDGE = 3.0

WRITTEN = re.compile(r"#([0-9a-fA-F]{6})")


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 (the same) to 21 (black and white)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return how bright a colour is, from 0 to 1."""
    red, green, blue = (_linear(part / 255) for part in parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def parts(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of `#rrggbb`, from 0 to 255.

    Raises:
        ValueError: It is not written so.
    """
    found = WRITTEN.fullmatch(colour)
    if found is None:
        raise ValueError("a colour is written #rrggbb")
    red, green, blue = bytes.fromhex(found[1])
    return red, green, blue


def mixed(colour: str, share: float, ground: str) -> str:
    """Return `share` (0 to 1) of a colour upon a ground."""
    pairs = zip(parts(colour), parts(ground), strict=True)
    return "#" + "".join(f"{round(one * share + other * (1 - share)):02x}" for one, other in pairs)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - the formula's
