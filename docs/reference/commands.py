"""Every command, from what `--help` says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer
from markdown import table

from secure_openai.cli.main import app

HEAD = """# Commands

`secure-openai COMMAND --help` says the same in a terminal. Ends with 0 when all is well, 1 when
something was found, 2 when it could not be done, unless a command says otherwise.

"""


TYPED = ("secure-openai ", "terraform ", "az ", "export ", "git diff ", "SECURE_OPENAI_")
"""How a line begins that one types."""


def commands() -> str:
    """Return the page."""
    root = typer.main.get_command(app)
    return HEAD + "\n".join(_sections(root, ("secure-openai",), typer.Context(root)))


def _sections(group: Any, path: tuple[str, ...], context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command, here = group.get_command(context, name), (*path, name)
        if hasattr(command, "list_commands"):
            yield from _sections(command, here, typer.Context(command, info_name=name))
        else:
            yield _section(command, here)


def _section(command: Any, path: tuple[str, ...]) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    usage = " ".join((*path, *(["[OPTIONS]"] if options else []), *map(_placeholder, arguments)))
    parts = [f"## {' '.join(path[1:])}\n", f"    {usage}\n", _prose(command.help or "")]
    rows = [
        *((f"`{_placeholder(one)}`", _shown(one), _plain(one.help or "")) for one in arguments),
        *((_names(one), _shown(one), _plain(one.help or "")) for one in options),
    ]
    if rows:
        parts.append(table(("option", "unless given", "means"), rows) + "\n")
    if command.epilog:
        parts.append(_prose(command.epilog))
    return "\n".join(parts)


def _placeholder(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _shown(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    value = parameter.default
    if value is True:
        return f"`{parameter.opts[0]}`"
    if value is None or value is False or value in ("", (), []) or callable(value):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _plain(text: str) -> str:
    without = re.sub(r"\[/?(bold|dim|italic)\]", "", text)
    return "\n".join(line.strip() for line in without.strip().splitlines())


def _prose(text: str) -> str:
    """Return what a command says of itself, the lines that one types as code."""
    plain = inspect.cleandoc(re.sub(r"\[/?(bold|dim|italic)\]", "", text).replace("\b", ""))
    lines: list[str] = []
    for line in map(str.strip, plain.splitlines()):
        typed = any(line.startswith(word) for word in TYPED)
        if typed != bool(lines and lines[-1].startswith("    ")):
            lines.append("")
        lines.append(f"    {line}" if typed else line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join((*lines, "")))
