"""Where in the Terraform files a resource of the estate is declared, and an argument of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import quote

_LARGEST: Final = 4 * 1024 * 1024
"""Bytes of the largest file of Terraform that is searched."""

_KEYS: Final = re.compile(r'\[(?:"(?:[^"\\]|\\.)*"|\d+)\]')
_HEAD: Final = re.compile(
    r'\s*(?P<kind>resource|module|output)\s+"?(?P<first>[\w-]+)"?(?:\s+"?(?P<second>[\w-]+)"?)?\s*\{'
)
_SOURCE: Final = re.compile(r'\s*source\s*=\s*"(?P<path>\.{1,2}/[^"]*|\.{1,2})"')
_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|#.*|//.*')
_HEREDOC: Final = re.compile(r"<<-?(?P<end>\w+)\s*$")

Block = tuple[str, ...]
"""Kind and labels of a block: `("resource", "azurerm_key_vault", "this")`."""


@dataclass(frozen=True, slots=True)
class Location:
    """A line of a file; the file's address is relative to the repository, as a URI."""

    uri: str
    line: int


class Locations:
    """Finds the block of a resource's address.

    Args:
        source: What was given to prove: a file, or a folder.
        configuration: The folder of Terraform that belongs to it, if there is one.
    """

    def __init__(self, source: Path, configuration: Path | None) -> None:
        self._source = source
        self._configuration = configuration
        self._folders: dict[Path, _Folder] = {}

    def of(self, address: str, attribute: str = "") -> Location:
        """Return where an argument of an address is written.

        Failing that, where its block is, or the address is declared, or else the beginning of what
        was given.

        Args:
            address: The resource.
            attribute: The way to the argument, such as `site_config.0.ftps_state`.
        """
        if self._configuration is not None:
            found = self._declared(self._configuration, address)
            if found:
                path, line = found
                names = [step for step in attribute.split(".") if not step.isdigit()]
                return Location(self._uri(path), _line_of(_code(_lines(path)), line, names))
            files = self._folder(self._configuration).files
            first = next((one for one in files if one.name == "main.tf"), None)
            return Location(self._uri(first or next(iter(files), self._configuration)), 1)
        return Location(self._uri(self._source), 1)

    def _declared(self, folder: Path, address: str) -> tuple[Path, int] | None:
        steps = _KEYS.sub("", address).split(".")
        while steps[0] == "module" and steps[2:]:
            called = self._folder(folder).modules.get(steps[1])
            if called is None:
                return self._folder(folder).blocks.get(("module", steps[1]))
            folder, steps = Path(os.path.normpath(folder / called)), steps[2:]
        key = tuple(steps) if steps[0] == "output" else ("resource", *steps)
        return self._folder(folder).blocks.get(key)

    def _folder(self, path: Path) -> _Folder:
        return self._folders.setdefault(path, _Folder(path))

    @cached_property
    def _root(self) -> Path:
        """Return the root of the repository, or else the working folder."""
        place = Path(os.path.normpath(Path.cwd() / (self._configuration or self._source)))
        for one in (place, *place.parents):
            if (one / ".git").exists():
                return one
        return Path.cwd()

    def _uri(self, path: Path) -> str:
        whole = Path(os.path.normpath(Path.cwd() / path))
        try:
            shown = whole.relative_to(self._root)
        except ValueError:
            shown = Path(whole.name)
        return quote(shown.as_posix(), errors="replace")


class _Folder:
    """The blocks of the Terraform files of one folder, read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def files(self) -> list[Path]:
        """Return its files of Terraform, by name."""
        return sorted(self._path.glob("*.tf"))

    @cached_property
    def blocks(self) -> dict[Block, tuple[Path, int]]:
        """Return where each block begins: its file and its line."""
        return {block: place for block, place, _ in reversed(self._read)}

    @cached_property
    def modules(self) -> dict[str, str]:
        """Return the folder of each local module that it calls."""
        return {block[1]: source for block, _, source in self._read if source}

    @cached_property
    def _read(self) -> list[tuple[Block, tuple[Path, int], str]]:
        return [found for path in self.files for found in _blocks(path)]


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; none of one that is too large or cannot be read."""
    try:
        if path.stat().st_size > _LARGEST:
            return []
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _line_of(code: Iterator[tuple[int, str]], start: int, names: list[str]) -> int:
    """Return the line at which a block writes an argument, or the last of the blocks around it.

    Args:
        code: Lines with their numbers.
        start: The line at which the block begins.
        names: The way to the argument.
    """
    depth = inside = 0
    line = start
    left = list(names)
    for number, text in code:
        if number < start:
            continue
        before = depth
        bare = _TEXT.sub('""', text)
        depth += sum(map(bare.count, "{[(")) - sum(map(bare.count, "}])"))
        found = left and before == inside > 0 and _written(text, left[0])
        if found:
            line = number
            # A dynamic block has one more around what stands in it.
            left[:1] = ["content"] if found["dynamic"] and left[1:] else []
        if found or number == start:
            inside = depth
        if not left or depth < inside or inside == 0:
            break
    return line


def _written(text: str, name: str) -> re.Match[str] | None:
    """Return the match where a line writes an argument or begins a block of a name."""
    words = re.escape(name)
    return re.match(rf'\s*(?P<dynamic>dynamic\s+)?"?{words}"?\s*(?:=(?!=)|\{{)', text)


def _blocks(path: Path) -> Iterator[tuple[Block, tuple[Path, int], str]]:
    lines = _lines(path)
    block: Block = ()
    line = 0
    source = ""
    for number, text in _code(lines):
        head = _HEAD.match(text)
        if head:
            if block:
                yield block, (path, line), source
            labels = (head["kind"], head["first"], head["second"])
            block, line, source = tuple(filter(None, labels)), number, ""
        elif block[:1] == ("module",) and (found := _SOURCE.match(text)):
            source = found["path"]
    if block:
        yield block, (path, line), source


def _code(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines, numbered from one, that stand in no comment and no text of many lines."""
    ends = ""
    for number, text in enumerate(lines, 1):
        if ends:
            if ends in text if ends == "*/" else text.strip() == ends:
                ends = ""
            continue
        if text.lstrip().startswith("/*") and "*/" not in text:
            ends = "*/"
            continue
        yield number, text
        if found := _HEREDOC.search(text):
            ends = found["end"]
