"""checkov, with every check, kept running for many plans; runs in checkov's own environment.

Reads a line of JSON with the paths of a plan and of what is to be searched for secrets, and answers
with one: what failed and passed, as pairs of a check and a resource (of a secret: its hash), and
the seconds that the plan took. Its first line says its version and the types that checks are about.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any

from checkov.common.checks_infra.registry import get_graph_checks_registry
from checkov.runner_filter import RunnerFilter
from checkov.secrets.runner import Runner as SecretsRunner
from checkov.terraform.checks.resource.registry import resource_registry
from checkov.terraform.plan_runner import Runner as PlanRunner
from checkov.version import version


def _types() -> list[str]:
    graph = get_graph_checks_registry("terraform")
    graph.load_checks()
    found = set(resource_registry.checks)
    for check in graph.checks:
        found.update(check.resource_types or ())
    return sorted(found)


def _report(plan: str, secrets: str | None) -> dict[str, Any]:
    began = time.perf_counter()
    chosen = RunnerFilter(framework=["terraform_plan"])
    reports = [PlanRunner().run(files=[plan], runner_filter=chosen)]
    seconds = time.perf_counter() - began
    if secrets:
        chosen = RunnerFilter(framework=["secrets"])
        reports.append(SecretsRunner().run(None, files=[secrets], runner_filter=chosen))
    for one in reports:
        if one.parsing_errors:
            raise SystemExit(f"checkov cannot read {one.parsing_errors}")
    return {
        "seconds": seconds,
        "failed": sorted({(r.check_id, r.resource) for one in reports for r in one.failed_checks}),
        "passed": sorted({(r.check_id, r.resource) for one in reports for r in one.passed_checks}),
        "skipped": sum(len(one.skipped_checks) for one in reports),
    }


def main() -> None:
    """Answer until there are no more questions."""
    # A check that fails to run says so at length, and what it prints would break the lines.
    logging.disable(logging.CRITICAL)
    answers = os.fdopen(os.dup(1), "w")
    sys.stdout = sys.stderr
    print(json.dumps({"version": version, "types": _types()}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_report(**json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
