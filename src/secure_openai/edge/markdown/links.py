"""Where a link really goes: shown beside it, and doubted where its text says something else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

SCHEMES = ("http", "https")
LONGEST = 2_000

_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,30}\.?|[0-9a-f]*:[0-9a-f:.]{1,45}")

# What reads as an address: words of any script joined by dots, with or without a scheme.
_ADDRESS = re.compile(r"(?:https?://)?((?:[^\W_](?:[\w-]*[^\W_])?[.\u3002\uff0e])+[^\W\d_]{2,})")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a link goes.

    Attributes:
        host: As it is shown: names of other scripts in punycode, with a port where one is written.
        doubt: `idn` or `text`, where a person is to look twice; `None` otherwise.
    """

    host: str
    doubt: str | None = None


def host_of(address: str) -> str | None:
    """Return the host that an address leads to, or `None` where it may not be a link at all.

    Only absolute addresses of http and https without a name before `@`: whatever is relative would
    lead into this application, and `https://bank.example@evil.example` reads as another's.
    """
    if len(address) > LONGEST or "\\" in address:
        return None
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in SCHEMES or not parts.hostname or "@" in parts.netloc:
        return None
    try:
        host = _ascii(parts.hostname)
    except UnicodeError:
        return None
    if _HOST.fullmatch(host) is None:
        return None
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _ascii(host: str) -> str:
    """Return a host in the letters that cannot be mistaken for others (RFC 3492)."""
    if host.isascii():
        return host.lower()
    return host.encode("idna").decode("ascii").lower()


def target_of(address: str, text: str) -> Target | None:
    """Return where a link goes and whether its text says otherwise; `None` if it is no link."""
    host = host_of(address)
    if host is None:
        return None
    if any(label.startswith("xn--") for label in host.split(".")):
        return Target(host, "idn")
    named = {_comparable(found) for found in _ADDRESS.findall(text[:LONGEST])}
    name = host.partition(":")[0]
    doubtful = any(one != name and not name.endswith(f".{one}") for one in named)
    return Target(host, "text" if doubtful else None)


def _comparable(host: str) -> str:
    try:
        return _ascii(host.replace("\u3002", ".").replace("\uff0e", "."))
    except UnicodeError:
        return ""


def mark_links(state: StateCore) -> None:
    """Give every link its target, after the text has been read."""
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = _marked(token.children)


def _marked(tokens: list[Token]) -> list[Token]:
    marked: list[Token] = []
    opened: list[tuple[Token, list[str]]] = []
    for token in tokens:
        if token.type == "link_open":
            opened.append((token, []))
        elif token.type == "link_close" and opened:
            opening, words = opened.pop()
            marked.extend(_judge(opening, "".join(words)))
        elif opened:
            opened[-1][1].append(token.content)
        marked.append(token)
    return marked


def _judge(opening: Token, text: str) -> list[Token]:
    """Mark a link, and return what is shown behind its text."""
    target = target_of(str(opening.attrs.get("href", "")), text)
    if target is None:
        # Markdown's own check has let it through; without an address it is no link.
        opening.attrs = {}
        return []
    opening.attrs["data-host"] = target.host
    if target.doubt is not None:
        opening.attrs["data-doubt"] = target.doubt
    # Where the text is the whole address, the host has been read.
    if target.doubt is None and target.host in text.lower():
        return []
    shown = Token("host", "", 0)
    shown.content = target.host
    return [shown]
