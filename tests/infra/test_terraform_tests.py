"""`terraform test` passes on the stand-ins; the release runs the same files with real providers."""

from __future__ import annotations

from secure_openai.posture.simulation import Workspace
from tests.infra.estate import INFRA


def test_every_run_passes() -> None:
    """Each run of each file passes, and none is left out."""
    with Workspace(INFRA) as workspace:
        report = workspace.test()

    wanted = sum(
        text.read_text().count("\nrun ") for text in (INFRA / "tests").glob("*.tftest.hcl")
    )
    assert [run for run in report.runs if run.status != "pass"] == [], report.diagnostics
    assert len(report.runs) == wanted
