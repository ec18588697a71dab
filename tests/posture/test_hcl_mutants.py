"""Faults in the Terraform itself are seen in what it would build."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from secure_openai.errors import ProofError
from secure_openai.posture.proof import Proof, Verdict, prove
from secure_openai.posture.reading import read
from tests.posture.hcl_mutants import MUTANTS, HclMutant

LEAST_MUTANTS = 15
AT_ONCE = min(4, os.cpu_count() or 1)
"""Each is real Terraform, which takes a core and a half while it plans and applies."""


def seen(mutant: HclMutant, proof: Proof) -> bool:
    """Return whether the statement meant for a fault is unproven because of the resource meant."""
    (judged,) = [one for one in proof.judged if one.statement.id == mutant.statement]
    addresses = [one.address for one in judged.findings] + [one.address for one in judged.doubts]
    return mutant.address in addresses


def test_every_fault_is_written_in_one_place(tmp_path: Path) -> None:
    """The text that it replaces is there once: a fault that is nowhere would be seen nowhere."""
    for number, mutant in enumerate(MUTANTS):
        (tmp_path / str(number)).mkdir()
        mutant.write(tmp_path / str(number))


def test_every_fault_in_the_terraform_is_seen_by_the_statement_meant_for_it(tmp_path: Path) -> None:
    """Applied and proven, each in a folder of its own; every one that escapes is named."""
    assert len(MUTANTS) >= LEAST_MUTANTS

    def escape(numbered: tuple[int, HclMutant]) -> str | None:
        number, mutant = numbered
        target = tmp_path / str(number)
        target.mkdir()
        folder, variables = mutant.write(target)
        meant = f"{mutant.name}: {mutant.statement} at {mutant.address}"
        try:
            proof = prove(read(folder, variables=variables).estate)
        except ProofError as error:
            return f"{meant}, but it cannot be built: {error}"
        if seen(mutant, proof):
            return None
        found = [(one.statement.id, finding.address) for one, finding in proof.findings]
        return f"{meant}, but {found}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        escaped = [one for one in pool.map(escape, enumerate(MUTANTS)) if one]
    assert escaped == []


def test_the_copy_without_a_fault_is_proven(tmp_path: Path) -> None:
    """Otherwise a fault seen in a copy would show nothing."""
    folder, variables = HclMutant("no fault", "", "", ()).write(tmp_path)
    assert prove(read(folder, variables=variables).estate).verdict is Verdict.PROVEN
