"""Markdown from a model, rendered and sanitised on the server.

Nothing in it runs or loads. What it looks like is ours alone: it brings no style, no class that is
not named here, no id, no picture, and its headings are below the page's own. A link says where it
goes; `edge/static/links.mjs` asks before one that says otherwise is followed.
"""

from __future__ import annotations

import html
import time
from collections.abc import MutableMapping, Sequence
from functools import lru_cache, partial
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin

from secure_openai.characters import visible
from secure_openai.edge.markdown.code import CLASSES, coloured, language_of, plain
from secure_openai.edge.markdown.links import host_of, mark_links
from secure_openai.edge.markdown.mathematics import ATTRIBUTES, TAGS, formula, harmless

LARGEST_CHARACTERS = 64_000
"""Longer texts are shown as they are."""

KEPT_CHARACTERS = 8_000
"""Up to here a text is rendered once: what is kept of a thousand takes tens of megabytes."""

SECONDS = 0.25
"""What reading one text may take of a processor: some Markdown takes quadratic time (a thousand
brackets that nothing closes). What takes longer is shown as it is, and what is left to draw then,
code without colours and formulas as they are written."""

PAGE_SECONDS = 2.0
"""What all texts of one page may take; those that come after that are shown as they are."""

_BOXES = {"[ ] ": "☐", "[x] ": "☑"}
_MOST_FORMULAS = 200
_LOWEST_HEADING = 6
_HEADINGS_BELOW = 2
"""A page has a first heading, and each side of a talk is below it."""

_TAGS = {
    *("a", "blockquote", "br", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr", "li"),
    *("ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    *TAGS,
}
_FOREIGN = {tag: set(ATTRIBUTES) for tag in TAGS}
_ATTRIBUTES = {
    **_FOREIGN,
    "*": set(),
    "a": {"href", "target", "data-host", "data-doubt"},
    "ol": {"start"},
    "pre": {"data-language", "tabindex"},
    "div": {"tabindex"},
}
_CLASSES = {
    "span": {*(name for name in CLASSES.values() if name), "host"},
    "div": {"scroll"},
    "pre": {"plain"},
    "td": {"right", "center"},
    "th": {"right", "center"},
}


def _kept(tag: str, _: str, value: str) -> str | None:
    return value if tag not in _FOREIGN or harmless(value) else None


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    allowed_classes=_CLASSES,
    attribute_filter=_kept,
    url_schemes={"http", "https"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
)


def rendered(text: str) -> str:
    """Return `text` as HTML made of a few harmless elements.

    Links open nothing by themselves, go to http and https only, and carry no referrer; images are
    not rendered at all, since loading one tells its server that the answer was read.
    """
    return _kept_rendered(text) if len(text) <= KEPT_CHARACTERS else _rendered(text)


class Rendering:
    """Renders the texts of one page, in one thread, within `PAGE_SECONDS` for all of them."""

    def __init__(self) -> None:
        self._end = time.thread_time() + PAGE_SECONDS

    def __call__(self, text: str) -> str:
        """Return `text` as HTML, as `rendered` does; once the time is over, as it is."""
        return rendered(text) if time.thread_time() < self._end else as_it_is(text)


def _rendered(text: str) -> str:
    if len(text) <= LARGEST_CHARACTERS:
        try:
            return read(text, {}, seconds=SECONDS)
        except TooLong:
            pass
    return as_it_is(text)


_kept_rendered = lru_cache(maxsize=1024)(_rendered)


Environment = MutableMapping[str, Any]
"""What is known of a text beside itself: what its links refer to, how many formulas it has."""


class TooLong(Exception):
    """The time for one text is over."""


def read(text: str, environment: Environment, *, seconds: float) -> str:
    """Return a text, or a part of one, as harmless HTML.

    Args:
        text: What is read.
        environment: What the parts before it have left, which this one adds to.
        seconds: What reading it may take of a processor.

    Raises:
        TooLong: It takes longer.
    """
    environment["end"] = time.thread_time() + seconds
    return _CLEANER.clean(_MARKDOWN.render(visible(text), environment))


def as_it_is(text: str) -> str:
    """Return a text as HTML that shows it as it is written."""
    return f'<pre class="plain" tabindex="0">{html.escape(visible(text))}</pre>'


def _in_time(state: StateInline | StateBlock, *_: object) -> bool:
    """Look at the clock before anything is read; a rule that matches nothing itself."""
    if _over(state.env):
        raise TooLong
    return False


def _over(env: Environment) -> bool:
    return bool(time.thread_time() > env["end"])


def _fence(
    self: RendererProtocol,  # noqa: ARG001 - markdown-it gives it
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,  # noqa: ARG001 - markdown-it gives it
    env: Environment,
) -> str:
    token = tokens[index]
    language = language_of(token.info)
    named = f' data-language="{html.escape(language)}"' if language else ""
    draw = plain if _over(env) else partial(coloured, language=language)
    shown = draw(token.content.removesuffix("\n"))
    return f'<pre tabindex="0"{named}><code>{shown}</code></pre>\n'


def _mathematics(
    self: RendererProtocol,  # noqa: ARG001 - markdown-it gives it
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,  # noqa: ARG001 - markdown-it gives it
    env: Environment,
) -> str:
    token = tokens[index]
    env["formulas"] = env.get("formulas", 0) + 1
    if env["formulas"] > _MOST_FORMULAS or _over(env):
        return f"<code>{html.escape(token.content)}</code>"
    block = "block" in token.type
    drawn = formula(token.content, block=block)
    return f'<div class="scroll" tabindex="0">{drawn}</div>\n' if block else drawn


def _host(
    self: RendererProtocol,  # noqa: ARG001 - markdown-it gives it
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,  # noqa: ARG001 - markdown-it gives it
    env: Environment,  # noqa: ARG001 - markdown-it gives it
) -> str:
    return f'<span class="host"> {html.escape(tokens[index].content)}</span>'


def _table_open(*_: object) -> str:
    return '<div class="scroll" tabindex="0"><table>\n'


def _table_close(*_: object) -> str:
    return "</table></div>\n"


def _keep_below(state: StateCore) -> None:
    """Put headings below the page's own and links into new windows; align cells by a class."""
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            level = min(int(token.tag[1:]) + _HEADINGS_BELOW, _LOWEST_HEADING)
            token.tag = f"h{level}"
        aligned = str(token.attrs.pop("style", "")).removeprefix("text-align:")
        if aligned:
            token.attrs["class"] = aligned
        for child in token.children or ():
            if child.type == "link_open":
                child.attrs["target"] = "_blank"


def _tick(state: StateCore) -> None:
    """Put the boxes of tasks into characters."""
    tokens = state.tokens
    for before, opening, token in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (before.type, opening.type, token.type) == (
            "list_item_open",
            "paragraph_open",
            "inline",
        ):
            box = _BOXES.get(token.content[:4].lower())
            if box is not None:
                token.content = f"{box} {token.content[4:]}"


def _leads_out(url: str) -> bool:
    return host_of(url) is not None


def _markdown() -> MarkdownIt:
    reader = MarkdownIt("js-default", {"html": False, "linkify": False}).disable("image")
    reader.use(dollarmath_plugin, allow_space=False, allow_digits=False, allow_labels=False)
    reader.use(texmath_plugin, delimiters="brackets")
    reader.validateLink = _leads_out  # type: ignore[method-assign]
    reader.core.ruler.push("links", mark_links)
    reader.core.ruler.push("below", _keep_below)
    reader.core.ruler.after("block", "tasks", _tick)
    reader.inline.ruler.before("text", "clock", _in_time)
    reader.block.ruler.before("table", "clock", _in_time)
    for rule in ("fence", "code_block"):
        reader.add_render_rule(rule, _fence)
    for rule in ("math_inline", "math_block", "math_block_eqno"):
        reader.add_render_rule(rule, _mathematics)
    reader.add_render_rule("host", _host)
    reader.add_render_rule("table_open", _table_open)
    reader.add_render_rule("table_close", _table_close)
    return reader


_MARKDOWN = _markdown()
