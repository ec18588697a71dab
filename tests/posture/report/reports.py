"""Reports to test with: of a state as it is, and of one with faults."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import Accepted, prove
from secure_openai.posture.report.report import Report
from secure_openai.posture.report.subject import Input, Subject, digest_of
from tests.posture.mutants import mutants, mutated

MADE = datetime(2027, 3, 4, 5, 6, 7, tzinfo=UTC)

FAULTS = (
    "own DNS servers",
    "applications may leave",
    "everybody to the endpoints",
    "one identity for two slots",
    "no sticky settings",
    "a role on the subscription",
    "localhost redirect",
    "an endpoint elsewhere",
    "a key in a vault secret",
    "a key in a setting",
    "a machine in public",
    "a custom role for everything",
    "a deployer from anywhere",
    "a type nobody knows",
)
"""Mutants that are put into one estate together, so that every part of a report has something."""


def report_of(
    state: dict[str, Any],
    *,
    name: str = "infra",
    assumed: Assumptions | None = None,
    accepted: Iterable[Accepted] = (),
    inputs: tuple[Input, ...] = (),
) -> Report:
    """Return the report of a state."""
    estate = Estate.of(state)
    proof = prove(estate, assumed=assumed, accepted=accepted)
    subject = Subject(
        name, "folder", "1.15.0", inputs, digest_of(estate), MADE, f"secure-openai prove {name}"
    )
    return Report.of(proof, subject)


def broken(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with several faults at once."""
    every = {one.name: one for one in mutants(state)}
    found = state
    for name in FAULTS:
        found = mutated(found, every[name])
    vault = next(
        one for name, one in every.items() if "azurerm_key_vault" in name and "public_net" in name
    )
    return mutated(found, vault)


def of_file(path: Path) -> Input:
    """Return a file as an input of a report."""
    return Input("configuration", str(path), path, "0" * 64)
