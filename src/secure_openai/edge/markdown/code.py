"""Code in colours: Pygments tells the kinds apart, style sheets colour them in both themes."""

from __future__ import annotations

import html
import re
import time
from functools import lru_cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import (
    Comment,
    Error,
    Generic,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    String,
    Token,
)
from pygments.util import ClassNotFound

LARGEST = 12_000
"""Characters of one block; larger ones are shown in one colour."""

SECONDS = 0.05
"""What one block may take, looked at between its words; after that the rest has one colour."""

LONGEST_LINE = 500
"""Characters; some lexers take quadratic time for a line before they give away its first word."""

CLASSES = {
    Comment: "c",
    Keyword: "k",
    Operator.Word: "k",
    String: "s",
    Literal.Date: "s",
    Number: "m",
    Name.Function: "f",
    Name.Class: "f",
    Name.Decorator: "f",
    Name.Tag: "k",
    Name.Attribute: "n",
    Name.Builtin: "n",
    Name.Constant: "m",
    Name.Variable: "n",
    Generic.Inserted: "i",
    Generic.Deleted: "d",
    Generic.Heading: "f",
    Error: "",
    Token: "",
}

_NAME = re.compile(r"[A-Za-z0-9][\w+#.-]{0,20}")

# What models write; the names of Pygments' many others are not looked for.
LANGUAGES = frozenset(
    {
        *("bash", "bat", "c", "cmake", "console", "cpp", "c++", "csharp", "c#", "cs", "css"),
        *("csv", "dart", "diff", "docker", "dockerfile", "elixir", "erlang", "fsharp", "go"),
        *("golang", "graphql", "groovy", "haskell", "hcl", "html", "http", "ini", "java"),
        *("javascript", "js", "json", "jsonc", "jsx", "julia", "kotlin", "kql", "latex", "less"),
        *("lua", "make", "makefile", "markdown", "matlab", "md", "nginx", "objective-c", "ocaml"),
        *("perl", "php", "plaintext", "powershell", "ps1", "properties", "protobuf", "py"),
        *("python", "python3", "r", "rb", "ruby", "rs", "rust", "scala", "scss", "sh", "shell"),
        *("sql", "swift", "terraform", "tex", "text", "tf", "toml", "ts", "tsx", "typescript"),
        *("vb", "vim", "xml", "yaml", "yml", "zig", "zsh"),
    }
)
_OTHERS = {"kql": "text", "plaintext": "text", "jsonc": "json", "zsh": "bash", "md": "markdown"}


def language_of(info: str) -> str:
    """Return the language that a fence names, or `""`."""
    named = info.strip().split(maxsplit=1)[0] if info.strip() else ""
    return named if _NAME.fullmatch(named) else ""


def plain(code: str) -> str:
    """Return code as HTML, in one colour."""
    return html.escape(code, quote=False)


def coloured(code: str, language: str) -> str:
    """Return code as HTML, its words in spans of the classes above."""
    lexer = _lexer(language.lower()) if len(code) <= LARGEST else None
    if max(map(len, code.splitlines()), default=0) > LONGEST_LINE:
        lexer = None
    if lexer is None:
        return plain(code)
    pieces: list[str] = []
    end = time.perf_counter() + SECONDS
    done = 0
    try:
        for kind, text in lexer.get_tokens(code):
            done += len(text)
            name = _class(kind)
            shown = html.escape(text, quote=False)
            pieces.append(f'<span class="{name}">{shown}</span>' if name else shown)
            if time.perf_counter() > end:
                pieces.append(html.escape(code[done:], quote=False))
                break
    except Exception:
        # Whatever a lexer thinks of a model's code.
        return plain(code)
    return "".join(pieces)


@lru_cache(maxsize=128)
def _lexer(language: str) -> Lexer | None:
    if language not in LANGUAGES:
        return None
    try:
        # As it is written: nothing is stripped, so that what is copied is what was said.
        return get_lexer_by_name(
            _OTHERS.get(language, language), stripnl=False, ensurenl=False, stripall=False
        )
    except ClassNotFound:
        return None


def _class(kind: object) -> str:
    while kind not in CLASSES:
        kind = kind.parent  # type: ignore[attr-defined]
    return CLASSES[kind]
