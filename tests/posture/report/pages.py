"""A page, parsed: what it holds, and whether its tags are in order."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"br", "hr", "img", "input", "link", "meta"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section"),
    *("article", "h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "dl", "dt", "dd", "div", "span"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "a", "code", "pre", "br", "strong"),
    *("details", "summary", "figure", "time"),
    *("svg", "desc", "g", "rect", "path", "circle", "text"),
}
"""Every element that a report is made of."""


class Page(HTMLParser):
    """A parsed page.

    Attributes:
        tags: Every element, with its attributes.
        words: All of its text.
        faults: Where its tags are out of order.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self._words: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"{one} is not closed" for one in self._open]
        self.words = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        if len({name for name, _ in attrs}) != len(attrs):
            self.faults.append(f"{tag} has an attribute twice")
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element of SVG and close it."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"{tag} is closed out of order at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        """Keep text, and style apart."""
        (self.styles if self._open[-1:] == ["style"] else self._words).append(data)

    def attributes(self, name: str) -> list[str]:
        """Return every value of an attribute."""
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]
