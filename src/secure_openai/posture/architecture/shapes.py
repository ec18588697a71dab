"""What a picture is drawn with: boxes, words, lines and marks, as SVG."""

from __future__ import annotations

from html import escape
from typing import Final

from secure_openai.posture.architecture.layout import Box
from secure_openai.posture.architecture.marks import Mark
from secure_openai.posture.printable import printable

_WIDE: Final = 7.4
_NARROW: Final = 6.1
_MOST_BADGES: Final = 4
_APART: Final = 3


def fitted(words: str, width: int, *, small: bool = False) -> str:
    """Return words cut to what fits into a width in most fonts."""
    most = int(width / (_NARROW if small else _WIDE))
    shown = printable(words, max(most * 2, 80))
    return shown if len(shown) <= most else f"{shown[: max(most - 1, 1)].rstrip()}…"


def text(x: int, y: int, words: str, kind: str, *, width: int = 0) -> str:
    """Return words that begin at a point; a width cuts them, with the whole as their title."""
    whole = printable(words, 200)
    shown = fitted(words, width, small="small" in kind) if width else whole
    title = f"<title>{escape(whole)}</title>" if shown != whole else ""
    return f'<text class="{kind}" x="{x}" y="{y}">{title}{escape(shown)}</text>'


def rect(box: Box, kind: str, radius: int = 6) -> str:
    """Return a box."""
    return (
        f'<rect class="{kind}" x="{box.x}" y="{box.y}" width="{box.width}" '
        f'height="{box.height}" rx="{radius}"/>'
    )


def line(points: str, kind: str) -> str:
    """Return a line, with SVG's path commands."""
    return f'<path class="{f"line {kind}".strip()}" d="{points}"/>'


def endpoint(x: int, y: int, passes: bool | None) -> list[str]:  # noqa: FBT001 - a state
    """Return a private endpoint: full where it serves, crossed where it does not, else asked."""
    kind = {True: "", False: " stopped", None: " doubted"}[passes]
    parts = [f'<circle class="end{kind}" cx="{x}" cy="{y}" r="6"/>']
    if passes is False:
        parts.append(f'<path class="cross" d="M{x - 3} {y - 3} l6 6 m0 -6 l-6 6"/>')
    return parts


def badge(x: int, y: int, mark: Mark) -> str:
    """Return one mark around a point, as a link where it leads somewhere."""
    width = _badge_width(mark)
    drawn = (
        f"<g><title>{escape(printable(mark.says, 300))}</title>"
        f'<rect class="badge {mark.kind}" x="{x - width // 2}" y="{y - 9}" width="{width}" '
        f'height="18" rx="9"/>{text(x, y + 4, mark.label, "number")}</g>'
    )
    return f'<a href="{escape(mark.target)}">{drawn}</a>' if mark.target else drawn


def badges(right: int, y: int, marks: list[Mark], most: int = _MOST_BADGES) -> list[str]:
    """Return marks in a row that ends at the right; what is too many is counted."""
    shown = list(marks)
    if len(marks) > most:
        rest = marks[most - 1 :]
        said = "; ".join(one.says for one in rest[:most])
        more = Mark(f"+{len(rest)}", rest[0].kind, said, rest[0].address, rest[0].target)
        shown = [*marks[: most - 1], more]
    parts = []
    x = right - badges_width(marks, most)
    for one in shown:
        width = _badge_width(one)
        parts.append(badge(x + width // 2, y, one))
        x += width + _APART
    return parts


def badges_width(marks: list[Mark], most: int = _MOST_BADGES) -> int:
    """Return how wide a row of marks is."""
    shown = marks if len(marks) <= most else marks[: most - 1]
    rest = len(marks) - len(shown)
    widths = [_badge_width(one) + _APART for one in shown]
    if rest:
        widths.append(_badge_width(Mark(f"+{rest}", "", "", "")) + _APART)
    return sum(widths)


def _badge_width(mark: Mark) -> int:
    return 18 + 7 * max(len(mark.label) - 2, 0)
