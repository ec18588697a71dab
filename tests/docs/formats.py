"""Blocks of data in the documentation, each with what reads such a file when the program runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from secure_openai.appearance.document import read_appearance
from secure_openai.delivery.project import FILE, project_in
from secure_openai.errors import ConfigurationError
from secure_openai.model_settings import ModelSettings
from secure_openai.policy.document import read_policy
from secure_openai.posture.proof import load_baseline
from tests.docs.blocks import ROOT
from tests.infra.estate import INFRA

LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z"/></svg>'
ROLE = """version = 1

[people.user]
deployments = ["*"]
requests_per_minute = 1
requests_per_day = 1
tokens_per_minute = 1
tokens_per_day = 1
largest_prompt_tokens = 1
largest_answer_tokens = 1
concurrent_streams = 1

"""
"""What a policy cannot do without; a page shows a part of one."""

TODAY = date(2026, 1, 1)
"""Before the last day of whatever a page shows as accepted."""


def _appearance(text: str, folder: Path) -> None:
    (folder / "logo.svg").write_text(LOGO, "utf-8")
    read_appearance(text, source="appearance.toml", folder=folder)


def _project(text: str, folder: Path) -> None:
    (folder / FILE).write_text(text, "utf-8")
    project_in(folder)


def _policy(text: str, folder: Path) -> None:
    read_policy(ROLE + text, source="policy.toml")


def _accounts(text: str, folder: Path) -> None:
    told = {"SECURE_OPENAI_MODEL_SOURCE": "azure", "SECURE_OPENAI_MODEL_ACCOUNTS": text}
    ModelSettings.load(told)


def _baseline(text: str, folder: Path) -> None:
    path = folder / "accepted.json"
    path.write_text(text, "utf-8")
    load_baseline(path, TODAY)


def _advisories(text: str, folder: Path) -> None:
    path, program = folder / "accepted-advisories.json", _program()
    path.write_text(text, "utf-8")
    try:
        program.accepted(path, TODAY)
    except program.Unasked as error:
        raise ValueError(str(error)) from None


def _variables(text: str, folder: Path) -> None:
    declared = "".join(one.read_text("utf-8") for one in INFRA.glob("*.tf"))
    there = set(re.findall(r'^variable "(\w+)"', declared, re.MULTILINE))
    unknown = set(re.findall(r"^(\w+) *=", text, re.MULTILINE)) - there
    if unknown:
        raise ValueError(f"{sorted(unknown)} is not a variable of the estate")


def _program() -> ModuleType:
    name = "advisories"
    if name not in sys.modules:
        spec = spec_from_file_location(name, ROOT / ".ci" / "advisories.py")
        assert spec is not None
        assert spec.loader is not None
        # Its tuples look their module up.
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


FORMATS: dict[tuple[str, str], Callable[[str, Path], None]] = {
    ("docs/appearance.md", "toml"): _appearance,
    ("docs/delivery.md", "json"): _advisories,
    ("docs/delivery.md", "toml"): _project,
    ("docs/desk.md", "toml"): _policy,
    ("docs/estate.md", "hcl"): _variables,
    ("docs/jobs.md", "toml"): _policy,
    ("docs/model.md", "json"): _accounts,
    ("docs/prove.md", "json"): _baseline,
}
"""By page and language. None takes a key that it does not know."""

NOT_TAKEN = (ConfigurationError, ValueError)
"""What each raises where it does not take a block."""
