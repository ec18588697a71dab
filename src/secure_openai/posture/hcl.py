"""The changes that mend a finding, as HCL: what an estate calls something stays a text in them.

Whoever names a resource does not thereby write Terraform: a name can end no string, begin no
template and start no line of its own.

Source: https://developer.hashicorp.com/terraform/language/expressions/strings
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from secure_openai.posture.printable import printable

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"'})
_TEMPLATE: Final = re.compile(r"([$%])(?=\{)")


class Expression(str):
    """HCL that stands for itself, and of which nothing was read from an estate."""

    __slots__ = ()


def literal(value: Any) -> str:
    """Return a value as HCL."""
    if isinstance(value, Expression):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        # What is not printed is written out, so that no text goes on in a second line.
        text = printable(value).translate(_ESCAPES)
        return '"' + _TEMPLATE.sub(r"\1\1", text) + '"'
    return f"[{', '.join(literal(one) for one in value)}]"


def argument(path: str, value: Any) -> str:
    """Return an argument in its blocks.

    Args:
        path: Where it stands, such as `site_config.0.ftps_state`.
        value: What it becomes.
    """
    steps = [step for step in path.split(".") if not step.isdigit()]
    text = f"{_name(steps[-1])} = {literal(value)}"
    for step in reversed(steps[:-1]):
        text = f"{_name(step)} {{\n{_indented([text])}\n}}"
    return text


def entry(argument_: str, name: str, value: Any) -> str:
    """Return an entry of a map, such as one setting of `app_settings`."""
    key = name if _IDENTIFIER.fullmatch(name) else literal(name)
    return f"{argument_} = {{\n  {key} = {literal(value)}\n}}"


def remark(text: str) -> str:
    """Return a comment of one line, for what only a person can decide."""
    return f"# {printable(text)}"


def _name(text: str) -> str:
    """Return the name of an argument or block; what is none is left to whoever reads it."""
    return text if _IDENTIFIER.fullmatch(text) else "argument"


def _indented(parts: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for part in parts for line in part.splitlines())
