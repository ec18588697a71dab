"""Markdown from a model, rendered and sanitised on the server: nothing in it runs or loads."""

from __future__ import annotations

import html
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("js-default", {"html": False, "linkify": False}).disable("image")

_TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr"),
    *("li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}


LARGEST_CHARACTERS = 24_000
"""Longer texts are shown as they are: some Markdown takes quadratic time to read."""


@lru_cache(maxsize=512)
def rendered(text: str) -> str:
    """Return `text` as HTML made of a few harmless elements.

    Links open nothing by themselves, go to http and https only, and carry no referrer; images are
    not rendered at all, since loading one tells its server that the answer was read.
    """
    if len(text) > LARGEST_CHARACTERS:
        return f"<pre>{html.escape(text)}</pre>"
    return nh3.clean(
        _MARKDOWN.render(text),
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow",
    )
