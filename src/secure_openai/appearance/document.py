"""Read the appearance file: every problem at once, each with its line and what to write instead."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from secure_openai.appearance.colour import TEXT, contrast, mixed, parts
from secure_openai.appearance.logo import LARGEST_BYTES, Logo, read_logo
from secure_openai.errors import AppearanceError
from secure_openai.toml_positions import line_of

VERSION = 1

GROUNDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"light": ("#ffffff", "#f5f6f8"), "dark": ("#15171b", "#1b1e23", "#22262d")}
)
"""What stands behind an accent, by theme; `edge/static/style.css` has the same."""

LENGTHS: Mapping[str, int] = MappingProxyType(
    {
        "name": 40,
        "title": 80,
        "good_for": 200,
        "welcome": 400,
        "text": 8_000,
        "url": 2_000,
        "notice": 8_000,
    }
)
MOST: Mapping[str, int] = MappingProxyType(
    {"suggestions": 6, "links": 6, "prompts": 200, "deployments": 50}
)


@dataclass(frozen=True, slots=True)
class Written:
    """Something with a name and a text.

    Attributes:
        name: What it is called: a suggestion's title, a prompt's name, a link's text.
        text: What it says; of a link, its address.
    """

    name: str
    text: str

    @property
    def id(self) -> str:
        """Return what it is known by; changes with what it says."""
        return _digest(self.name, self.text)


@dataclass(frozen=True, slots=True)
class Appearance:
    """What an organisation makes its own; whatever it leaves out looks as it ships.

    Attributes:
        name: What the product is called, or `None`.
        logo: Its picture, or `None`.
        accents: By theme, the colour of what acts.
        welcome: What an empty page says, or `None`.
        notice: What a person accepts before first use, or `None`; its text is Markdown.
        suggestions: What an empty page offers to ask.
        prompts: The organisation's prompts.
        links: To its rules, at the foot of the chat.
        deployments: What each is good for, by its name.
    """

    name: str | None = None
    logo: Logo | None = None
    accents: Mapping[str, str] = field(default_factory=dict)
    welcome: str | None = None
    notice: Written | None = None
    suggestions: tuple[Written, ...] = ()
    prompts: tuple[Written, ...] = ()
    links: tuple[Written, ...] = ()
    deployments: tuple[Written, ...] = ()

    @property
    def notice_digest(self) -> str | None:
        """Return what an acceptance is kept with: another notice is to be accepted anew."""
        return None if self.notice is None else self.notice.id

    @classmethod
    def load(cls, path: Path | None) -> Appearance:
        """Read an appearance file; without one, everything looks as it ships.

        Raises:
            AppearanceError: It cannot be read, or every problem found in it.
        """
        if path is None:
            return cls()
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise AppearanceError(f"{path}: the file cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise AppearanceError(f"{path}: the file is not UTF-8.") from None
        return read_appearance(text, source=path.name, folder=path.parent)


def read_appearance(text: str, *, source: str, folder: Path) -> Appearance:
    """Return what a file says.

    Args:
        text: The file's content.
        source: What problems call the file.
        folder: Where the logo lies.

    Raises:
        AppearanceError: Every problem found, each beginning with `source:line:`.
    """
    return _Reading(text, source, folder).appearance()


class _Reading:
    """One reading of one file; gathers problems."""

    def __init__(self, text: str, source: str, folder: Path) -> None:
        self._text = text
        self._source = source
        self._folder = folder
        self._lines = text.splitlines()
        self._problems: list[tuple[int, str]] = []

    def appearance(self) -> Appearance:
        try:
            document = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            line = int(found[1]) if found else len(self._lines)
            raise AppearanceError(f"{self._source}:{line}: this is not TOML: {error}.") from None
        self._known(
            (), document, ("version", "name", "logo", "welcome", "notice", "colours", *MOST)
        )
        if document.get("version") != VERSION:
            self._wrong(("version",), f"write version = {VERSION}")
        read = Appearance(
            name=self._line(("name",), document.get("name"), "name"),
            logo=self._logo(document.get("logo")),
            accents=self._accents(document.get("colours", {})),
            welcome=self._line(("welcome",), document.get("welcome"), "welcome"),
            notice=self._notice(document.get("notice")),
            suggestions=self._written("suggestions", document, "title", "text"),
            prompts=self._written("prompts", document, "name", "text"),
            links=self._written("links", document, "text", "url"),
            deployments=self._written("deployments", document, "name", "good_for"),
        )
        if self._problems:
            raise AppearanceError(
                *(f"{self._source}:{line}: {told}" for line, told in sorted(self._problems))
            )
        return read

    def _line(self, path: tuple[str, ...], value: object, kind: str) -> str | None:
        """Return a text of one line."""
        if value is None:
            return None
        text = self._words(path, value, kind)
        if text is not None and "\n" in text:
            self._wrong(path, f"write {path[-1]} on one line")
        return text

    def _words(self, path: tuple[str, ...], value: object, kind: str) -> str | None:
        most = LENGTHS[kind]
        if not isinstance(value, str) or not value.strip():
            self._wrong(path, f"write {path[-1]} = and a text, in quotes")
            return None
        if len(value) > most:
            self._wrong(path, f"{path[-1]} has {len(value)} characters: write at most {most}")
        if any(ord(one) < ord(" ") and one not in "\n\t" for one in value):
            self._wrong(path, f"{path[-1]} has characters that cannot be shown: take them out")
        return value.strip()

    def _logo(self, value: object) -> Logo | None:
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            self._wrong(("logo",), "write logo = and a file's name, in quotes")
            return None
        path = self._folder / value
        try:
            with path.open("rb") as file:
                return read_logo(file.read(LARGEST_BYTES + 1))
        except OSError as error:
            self._wrong(("logo",), f"{path} cannot be read: {error.strerror}")
        except ValueError as error:
            self._wrong(("logo",), str(error))
        return None

    def _accents(self, table: object) -> Mapping[str, str]:
        if not isinstance(table, dict):
            self._wrong(("colours",), 'write a table [colours] with light = "#rrggbb" and dark')
            return {}
        self._known(("colours",), table, tuple(GROUNDS))
        accents = {}
        for theme, grounds in GROUNDS.items():
            if theme not in table:
                continue
            colour, path = table[theme], ("colours", theme)
            try:
                parts(colour if isinstance(colour, str) else "")
            except ValueError:
                self._wrong(path, f'write {theme} = "#rrggbb", six digits of 0 to 9 and a to f')
                continue
            found = min(contrast(colour, ground) for ground in grounds)
            if found < TEXT:
                better = readable(colour, theme)
                self._wrong(
                    path,
                    f"{colour} stands out {found:.1f} to 1 from the {theme} page and text needs "
                    f"{TEXT}: write {better}, the nearest that does",
                )
            accents[theme] = colour.lower()
        return accents

    def _notice(self, table: object) -> Written | None:
        if table is None:
            return None
        if not isinstance(table, dict):
            self._wrong(("notice",), "write a table [notice] with title and text")
            return None
        self._known(("notice",), table, ("title", "text"))
        title = self._line(("notice", "title"), table.get("title", ""), "title")
        text = self._words(("notice", "text"), table.get("text"), "notice")
        return None if title is None or text is None else Written(title, text)

    def _written(
        self, table: str, document: dict[str, Any], name: str, text: str
    ) -> tuple[Written, ...]:
        rows = document.get(table, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._wrong((table,), f"write [[{table}]] with {name} and {text}")
            return ()
        if len(rows) > MOST[table]:
            self._wrong((table,), f"there are {len(rows)} {table}: write at most {MOST[table]}")
        read: list[Written] = []
        for number, row in enumerate(rows):
            path = (table, str(number))
            self._known(path, row, (name, text))
            first = self._line((*path, name), row.get(name, ""), "title")
            second = self._words((*path, text), row.get(text), text)
            if text == "url" and second is not None and not _goes_out(second):
                self._wrong((*path, text), "write url = and an address that begins with https://")
            if first in {one.name for one in read}:
                self._wrong((*path, name), f"{first!r} is there twice: name each once")
            if first is not None and second is not None:
                read.append(Written(first, second))
        return tuple(read)

    def _known(
        self, path: tuple[str, ...], content: dict[str, Any], names: tuple[str, ...]
    ) -> None:
        for name in content:
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"
                self._wrong((*path, name), f"{name!r} is not known here: {hint}")

    def _wrong(self, path: tuple[str, ...], sentence: str) -> None:
        told = sentence if sentence.endswith("?") else f"{sentence}."
        self._problems.append((line_of(self._lines, path), told))


def readable(colour: str, theme: str) -> str:
    """Return the colour nearest to one that can be read on the pages of a theme."""
    end = "#000000" if theme == "light" else "#ffffff"
    shades = (mixed(colour, share / 100, end) for share in range(100, -1, -1))
    return next(
        shade
        for shade in shades
        if all(contrast(shade, ground) >= TEXT for ground in GROUNDS[theme])
    )


def _goes_out(address: str) -> bool:
    try:
        address_parts = urlsplit(address)
    except ValueError:
        return False
    written = address.isascii() and not any(one.isspace() or one in '<>"' for one in address)
    return written and address_parts.scheme == "https" and bool(address_parts.hostname)


def _digest(*parts_of: str) -> str:
    return hashlib.sha256("\0".join(parts_of).encode()).hexdigest()[:32]
