r"""Mathematics: `$…$`, `$$…$$`, `\(…\)` and `\[…\]` become MathML, which browsers draw."""

from __future__ import annotations

import html
import re
from functools import lru_cache

import latex2mathml.converter

LONGEST = 1_500
"""Characters of one formula; longer ones are shown as they are written."""

TAGS = frozenset(
    {
        *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot"),
        *("mstyle", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts"),
        *("mprescripts", "none", "mtable", "mtr", "mtd", "mphantom", "menclose", "merror"),
    }
)
"""MathML Core without what links, acts, or carries other markup."""

ATTRIBUTES = frozenset(
    {
        *("accent", "accentunder", "columnalign", "columnspacing", "columnlines", "rowlines"),
        *("rowspacing", "display", "displaystyle", "fence", "form", "largeop", "linethickness"),
        *("lspace", "rspace", "mathvariant", "maxsize", "minsize", "movablelimits", "notation"),
        *("scriptlevel", "separator", "stretchy", "symmetric", "width"),
    }
)

_VALUE = re.compile(r"[a-z][a-z -]{0,40}|-?\d?(\.\d{1,4})?(em|ex|px|%)?|[01]?\d")
"""A word, or a length below ten: nothing that a formula says reaches out of its place."""

_DEEPEST = 60


def harmless(value: str) -> bool:
    """Return whether an attribute of a formula may be kept."""
    return _VALUE.fullmatch(value) is not None


@lru_cache(maxsize=1024)
def formula(latex: str, *, block: bool) -> str:
    """Return a formula as MathML; one that cannot be read, as it is written."""
    text = latex.strip()
    written = f"<code>{html.escape(latex)}</code>"
    if not text or len(text) > LONGEST or text.count("{") > _DEEPEST * 4 or _depth(text) > _DEEPEST:
        return written
    try:
        return latex2mathml.converter.convert(text, display="block" if block else "inline")
    except Exception:
        # Whatever a library thinks of a model's formula.
        return written


def _depth(text: str) -> int:
    depth = deepest = 0
    for one in text:
        depth += (one in "{(") - (one in "})")
        deepest = max(deepest, depth)
    return max(deepest, text.count(r"\left"), text.count(r"\begin"), text.count("^"))
