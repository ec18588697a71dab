"""Our own files for browsers: their addresses change with their content, so they are kept for good.

A page names `/static/DIGEST/style.css`; a module imports its neighbours by `./`, and so they carry
the same digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC_PATH = "/static"
FOLDER = Path(str(files("secure_openai.edge") / "static"))

_IMPORT = re.compile(r'^(?:import\s|} from )[^"]*"\./([\w-]+\.mjs)";$', re.MULTILINE)
_TEXT = re.compile(r'\bt\("([a-z0-9_.-]+)"( \+)?')
FOR_GOOD = "public, max-age=31536000, immutable"


@cache
def digest() -> str:
    """Return what changes when any of the files does."""
    content = hashlib.sha256()
    for path in sorted(FOLDER.iterdir()):
        content.update(path.name.encode() + b"\0" + path.read_bytes())
    return content.hexdigest()[:12]


def address(name: str) -> str:
    """Return where a page finds one of the files."""
    return f"{STATIC_PATH}/{digest()}/{name}"


@cache
def modules(entry: str) -> tuple[str, ...]:
    """Return a module with everything that it imports, itself first."""
    found = [entry]
    for name in found:
        found.extend(one for one in _imports(name) if one not in found)
    return tuple(found)


def _imports(name: str) -> Iterator[str]:
    source = (FOLDER / name).read_text("utf-8")
    yield from _IMPORT.findall(source)


def named(entry: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Return the texts that a module and what it imports say.

    `t("chat.send")` names one, `t("filter." + rule)` all that begin so.
    """
    whole, begun = _keys(entry)
    return {key: text for key, text in texts.items() if key in whole or key.startswith(begun)}


@cache
def _keys(entry: str) -> tuple[frozenset[str], tuple[str, ...]]:
    found = [
        match
        for name in modules(entry)
        for match in _TEXT.findall((FOLDER / name).read_text("utf-8"))
    ]
    whole = frozenset(key for key, more in found if not more)
    return whole, tuple(key for key, more in found if more)


class Assets(StaticFiles):
    """Serves the files, with or without a digest before their name."""

    def __init__(self) -> None:
        super().__init__(directory=str(FOLDER))

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file; only under the digest of what is here may it be kept."""
        first, _, rest = path.replace("\\", "/").partition("/")
        # Another digest is a neighbour's during a deployment: it gets ours, and keeps nothing.
        response = await super().get_response(rest or first, scope)
        current = bool(rest) and first == digest()
        response.headers["Cache-Control"] = FOR_GOOD if current else "no-cache"
        return response


def as_json(texts: dict[str, str]) -> str:
    """Return texts as JSON that may stand inside an element of a page."""
    written = json.dumps(texts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
