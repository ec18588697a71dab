"""Our own files for browsers: their addresses change with their content, so they are kept for good.

A page names `/static/DIGEST/style.css`; a module imports its neighbours by `./`, and so they carry
the same digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

STATIC_PATH = "/static"
FOLDER = Path(str(files("secure_openai.edge") / "static"))

_IMPORT = re.compile(r'^(?:import\s|} from )[^"]*"\./([\w-]+\.mjs)";$', re.MULTILINE)
_TEXT = re.compile(r'\bt\("([a-z0-9_.-]+)"( \+)?')
MEDIA_TYPES = {".css": "text/css", ".mjs": "text/javascript", ".svg": "image/svg+xml"}
"""What we serve, whatever the system's own table says of a suffix."""

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


class Assets:
    """Serves the files from memory, with or without a digest before their name.

    They are a few and small, and a first page asks for thirty of them at once: read as they are
    asked for, each would take a thread and the disk, in the way of what is painted.

    Raises:
        HTTPException: There is no such file (404), or it is not to be read (405).
    """

    def __init__(self) -> None:
        self._files = {path.name: _File.read(path) for path in FOLDER.iterdir()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file; only under the digest of what is here may it be kept."""
        if scope.get("method") not in {"GET", "HEAD"}:
            raise HTTPException(405)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        first, _, rest = path.lstrip("/").partition("/")
        found = self._files.get(rest or first)
        if found is None:
            raise HTTPException(404)
        # Another digest is a neighbour's during a deployment: it gets ours, and keeps nothing.
        current = bool(rest) and first == digest()
        headers = {"Cache-Control": FOR_GOOD if current else "no-cache", "ETag": found.etag}
        asked = Headers(scope=scope).get("if-none-match", "")
        if found.etag in {tag.strip().removeprefix("W/") for tag in asked.split(",")}:
            await Response(status_code=304, headers=headers)(scope, receive, send)
            return
        response = Response(found.content, headers=headers, media_type=found.media_type)
        await response(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> _File:
        content = path.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, MEDIA_TYPES[path.suffix], etag)


def as_json(texts: dict[str, str]) -> str:
    """Return texts as JSON that may stand inside an element of a page."""
    written = json.dumps(texts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
