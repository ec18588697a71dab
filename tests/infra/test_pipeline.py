"""The pipeline's own steps, on the plan of the estate."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from pathlib import Path

import pytest

from tests.azure_cli import stand_in
from tests.delivery.plans_container import Plans, serving
from tests.infra.estate import built
from tests.pipeline import DELIVER, clone, run, step


@pytest.mark.process
async def test_the_plan_that_was_proven_and_kept_is_the_one_that_is_applied(
    tmp_path: Path,
) -> None:
    """The steps as they stand, on the plan of the estate: proven, kept, compared, and refused."""
    stand_in(tmp_path, "az", '{"accessToken": "storage", "expires_on": 4102444800}')
    plan, kept, output = tmp_path / "plan.json", Plans(), tmp_path / "output"
    home = clone(tmp_path / "clone")
    planned = deepcopy(built("private").plan)
    plan.write_text(json.dumps(planned))
    prove, keep, compare = (
        step(DELIVER, job, name)["run"]
        for job, name in (
            ("plan", "Prove the plan"),
            ("plan", "Keep the plan"),
            ("deliver", "Refuse another plan than was approved"),
        )
    )
    async with serving(kept) as container:
        told = {
            "GITHUB_OUTPUT": str(output),
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PLANS_URL": container,
            "RUNNER_TEMP": str(tmp_path),
            "SECURE_OPENAI_CREDENTIAL": "developer",
        }
        proven = await run(prove, home, **told)
        keeping = await run(keep, home, **told)
        name, _, told["APPROVED"] = output.read_text().strip().partition("=")
        same = await run(compare, home, **told)
        planned["resource_changes"][0]["change"]["actions"] = ["delete"]
        plan.write_text(json.dumps(planned))
        other = await run(compare, home, **told)

    assert proven.code == 0, proven.said
    assert "Verdict: proven" in proven.said
    assert (keeping.code, keeping.said) == (0, "")
    assert name == "digest"
    assert list(kept.blobs) == [f"{told['APPROVED']}.json"]
    assert (same.code, same.said) == (0, "The plan does what was approved.\n")
    assert other.code == 1
    assert f"{planned['resource_changes'][0]['address']} is not as it was approved" in other.said
