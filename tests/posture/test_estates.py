"""Estates that nobody here wrote: shapes of public Terraform, with their faults kept.

Each folder of `estates/` holds a configuration and, in `expected.txt`, what a reviewer finds in it:
a line for each finding or doubt, with its statement and its address. What is not named is proven.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import prove
from secure_openai.posture.simulation import simulate

ESTATES = Path(__file__).parent / "estates"


@pytest.mark.parametrize("folder", sorted(ESTATES.iterdir()), ids=lambda folder: str(folder.name))
def test_a_foreign_estate_has_exactly_the_faults_that_a_reviewer_finds(folder: Path) -> None:
    """No more, no less, and what cannot be told is said."""
    lines = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    expected = {line for line in lines if line and not line.startswith("#")}

    with simulate(folder) as done:
        proof = prove(Estate.of(done.state, done.invented))

    found = {
        f"{word} {one.statement.id} {outcome.address}"
        for one in proof.judged
        for word, outcomes in (("finding", one.findings), ("doubt", one.doubts))
        for outcome in outcomes
    }
    assert expected == found
