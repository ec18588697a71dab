"""Faults in the Terraform itself are seen in what it would build."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, count
from math import comb
from pathlib import Path

from secure_openai.errors import ProofError
from secure_openai.posture.proof import Proof, Verdict, prove
from secure_openai.posture.reading import read
from tests.posture.hcl_mutants import MUTANTS, HclMutant, write

LEAST_MUTANTS = 15
AT_ONCE = min(4, os.cpu_count() or 1)
"""Each is real Terraform, which takes a core and a half while it plans and applies."""

ESTATES = next(number for number in count(2) if comb(number, 2) >= len(MUTANTS))
"""So many that each fault stands in two of them, and no two faults in the same two."""

PLACED = tuple(zip(MUTANTS, combinations(range(ESTATES), 2), strict=False))


def proof_of(mutants: Iterable[HclMutant], target: Path) -> Proof:
    """Build an estate that has these faults, and prove it."""
    target.mkdir()
    folder, variables = write(mutants, target)
    return prove(read(folder, variables=variables).estate)


def seen(mutant: HclMutant, proof: Proof) -> bool:
    """Return whether the statement meant for a fault is unproven because of the resource meant."""
    (judged,) = [one for one in proof.judged if one.statement.id == mutant.statement]
    addresses = [one.address for one in judged.findings] + [one.address for one in judged.doubts]
    return mutant.address in addresses


def test_every_fault_is_written_in_one_place(tmp_path: Path) -> None:
    """The text that it replaces is there once: a fault that is nowhere would be seen nowhere."""
    for number, mutant in enumerate(MUTANTS):
        (tmp_path / str(number)).mkdir()
        write([mutant], tmp_path / str(number))


def test_every_fault_in_the_terraform_is_seen_by_the_statement_meant_for_it(tmp_path: Path) -> None:
    """Applied and proven, several in an estate: seen where it is and nowhere else, each by itself.

    What is seen in the two estates that have a fault, and in no other, no other fault can be the
    cause of: none stands in the same two. Every one that escapes is named.
    """
    assert len(MUTANTS) >= LEAST_MUTANTS

    def built(number: int) -> Proof:
        mutants = [mutant for mutant, places in PLACED if number in places]
        try:
            return proof_of(mutants, tmp_path / str(number))
        except ProofError as error:
            names = [mutant.name for mutant in mutants]
            raise AssertionError(f"{names} cannot be built: {error}") from error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        proofs = list(pool.map(built, range(ESTATES)))
    escaped = []
    for mutant, _ in PLACED:
        same = [
            places
            for other, places in PLACED
            if (other.statement, other.address) == (mutant.statement, mutant.address)
        ]
        meant = sorted({number for places in same for number in places})
        found = [number for number, proof in enumerate(proofs) if seen(mutant, proof)]
        if found != meant:
            escaped.append((mutant.name, mutant.statement, mutant.address, meant, found))
    assert escaped == []


def test_the_copy_without_a_fault_is_proven(tmp_path: Path) -> None:
    """Otherwise a fault seen in a copy would show nothing."""
    assert proof_of([], tmp_path / "whole").verdict is Verdict.PROVEN
