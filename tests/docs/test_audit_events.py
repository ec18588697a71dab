"""Every action that the audit records is written down, and has a name in every language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import secure_openai
from secure_openai.edge.language import languages
from secure_openai.model.management.interface import Kind
from secure_openai.store.requests import RequestKind

SOURCE = Path(secure_openai.__file__).parent
DOCUMENT = Path(__file__).parents[2] / "docs" / "audit.md"

ACTION = re.compile(r"[a-z]+(?:\.[a-z_]+)+")
RECORDING = {"record", "viewed", "_record", "AuditEvent", "_changed"}
CONSTANTS = {"EVENT", "STARTED", "ENDED"}
MADE = {
    *(f"{kind.value}.asked" for kind in RequestKind),
    *(f"deployment.{kind}.{step}" for kind in Kind for step in ("asked", "ended", "refused")),
}
"""Put together where they are recorded."""


def recorded() -> Iterator[str]:
    """Yield every action that is named where something is recorded, or in a constant."""
    for path in SOURCE.rglob("*.py"):
        if {"testing", "posture"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in RECORDING:
                given = [*node.args, *(one.value for one in node.keywords if one.arg == "action")]
                either = [part for one in given for part in _parts(one)]
                yield from (str(one.value) for one in either if _is_action(one))
            elif (
                isinstance(node, ast.Assign | ast.AnnAssign)
                and CONSTANTS & _names(node)
                and node.value is not None
                and _is_action(node.value)
            ):
                yield str(node.value.value)


def _parts(node: ast.expr) -> tuple[ast.expr, ...]:
    return (node.body, node.orelse) if isinstance(node, ast.IfExp) else (node,)


def _names(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {_name(one) for one in targets}


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_action(node: ast.expr) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and ACTION.fullmatch(str(node.value)) is not None


def test_every_action_is_written_down() -> None:
    """The table of docs/audit.md names what is recorded, and nothing else."""
    text = DOCUMENT.read_text("utf-8")
    table = text[text.index("## What is recorded") : text.index("## Chains")]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    written = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}

    assert written == {*recorded()} | MADE


def test_every_action_has_a_name() -> None:
    """The administrator's desk and a person's own page say it in every language."""
    written = {*recorded()} | MADE
    for language in languages().values():
        named = {key[12:] for key in language.texts if key.startswith("desk.action.")}

        assert named == written, language.tag
