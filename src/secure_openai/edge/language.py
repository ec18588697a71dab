"""What the pages say, in the reader's language: one file per language, all with the same keys.

A further language is a further file beside `languages/en.json`. A text holds no HTML; `{name}`
stands for a value. `detail.` are the server's own sentences, which are English wherever programs
read them, and are known again by their words where a person does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from starlette.requests import Request

from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.cookies import language_cookie

DEFAULT = "en"
LONGEST_HEADER = 500
"""Characters of `Accept-Language` that are read; browsers send a tenth of it."""


LONGEST_DETAIL = 1_000
"""Characters of a sentence that is known again: what is compared takes time by its length."""

_VALUE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Language:
    """A language that pages speak.

    Attributes:
        tag: What HTML calls it (BCP 47).
        texts: What is said, by key.
    """

    tag: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values in place.

        Raises:
            KeyError: No file has the key, which a test finds.
        """
        return self.texts[key].format(**values) if values else self.texts[key]

    @property
    def name(self) -> str:
        """Return what the language calls itself."""
        return self.texts["language.name"]

    def of_problem(self, kind: str, detail: str) -> str:
        """Return what is said of a kind of problem, or its own detail where nothing is."""
        return self.texts.get(f"problem.{kind.rpartition(':')[2]}", detail)

    def of_detail(self, detail: str) -> str:
        """Return a sentence of the server's in this language, empty where nothing says it.

        The server's own are those of the default language; `detail.` names them in every file.
        """
        if self.tag == DEFAULT:
            return detail
        if len(detail) > LONGEST_DETAIL:
            return ""
        for sentence in _sentences():
            values = sentence.values_in(detail)
            if values is not None:
                said = {name: self.of_detail(value) or value for name, value in values.items()}
                return self.texts[sentence.key].format(**said)
        return ""


@cache
def languages() -> Mapping[str, Language]:
    """Return every language by its tag, the default first."""
    folder = files("secure_openai.edge") / "languages"
    read = {
        path.name.removesuffix(".json"): json.loads(path.read_text("utf-8"))
        for path in folder.iterdir()
        if path.name.endswith(".json")
    }
    order = sorted(read, key=lambda tag: (tag != DEFAULT, tag))
    return MappingProxyType({tag: Language(tag, MappingProxyType(read[tag])) for tag in order})


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of the server's: words, and between them values.

    Attributes:
        key: What names it.
        words: What stands before the first value, between two, and after the last.
        names: The values.
    """

    key: str
    words: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, key: str, text: str) -> _Sentence:
        """Read a text of a file."""
        pieces = _VALUE.split(text)
        return cls(key, tuple(pieces[::2]), tuple(pieces[1::2]))

    def values_in(self, detail: str) -> dict[str, str] | None:
        """Return the values with which a detail is this sentence; None if it is another.

        Each value is as short as may be. Where words are found at all, the first place leaves most
        for what follows, so that none is looked for twice: what people write is in details, and
        going back over it would take time by a power of its length.
        """
        if not self.names:
            return {} if (detail,) == self.words else None
        first, *between, last = self.words
        end = len(detail) - len(last)
        at = len(first)
        if end < at or not (detail.startswith(first) and detail.endswith(last)):
            return None
        values = []
        for words in between:
            found = detail.find(words, at, end)
            if found < 0:
                return None
            values.append(detail[at:found])
            at = found + len(words)
        return dict(zip(self.names, (*values, detail[at:end]), strict=True))


@cache
def _sentences() -> tuple[_Sentence, ...]:
    """Return the sentences of the server's, those that say most first."""
    texts = languages()[DEFAULT].texts
    said = [_Sentence.of(key, text) for key, text in texts.items() if key.startswith("detail.")]
    return tuple(sorted(said, key=lambda one: (-len("".join(one.words)), one.key)))


def language_of(request: Request) -> Language:
    """Return the language that the person chose, or else the one that the browser prefers."""
    known = languages()
    chosen = request.cookies.get(language_cookie(assembly_of(request).settings), "")
    return known.get(chosen) or known[preferred(request.headers.get("accept-language", ""))]


def preferred(header: str) -> str:
    """Return the tag of ours that comes first in an `Accept-Language`.

    Source: RFC 9110, 12.5.4; the lookup of RFC 4647, 3.4: a region that is not there falls back to
    its language.
    """
    wanted: list[tuple[float, str]] = []
    for part in header[:LONGEST_HEADER].split(","):
        tag, _, quality = part.partition(";")
        weight = _weight(quality)
        if weight > 0:
            wanted.append((-weight, tag.strip().lower()))
    known = {tag.lower(): tag for tag in languages()}
    for _, tag in sorted(wanted, key=lambda one: one[0]):
        if (found := known.get(tag) or known.get(tag.partition("-")[0])) is not None:
            return found
    return DEFAULT


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(float(value), 1.0)
    except ValueError:
        return 0.0
