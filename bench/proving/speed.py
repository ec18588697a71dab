"""How long a proof takes: beside checkov on one estate, from its folder, and of many copies."""

from __future__ import annotations

import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.posture.mutants import resources

from bench.proving.copies import copies
from bench.proving.plans import Plans
from bench.proving.scanner import ENVIRONMENT, ROOT, Checkov, clean
from bench.proving.tables import row
from secure_openai.posture.proof import Proof, prove
from secure_openai.posture.reading import read
from secure_openai.posture.report.document import as_json
from secure_openai.posture.report.report import Report
from secure_openai.posture.report.subject import Subject, digest_of, inputs

ROUNDS = 5
COUNTS = (1, 10, 100)
INFRA = ROOT / "infra"
PRIVATE = INFRA / "environments" / "private.tfvars"
COMMAND = (sys.executable, "-m", "secure_openai.cli", "prove")
SOURCES = {"PYTHONPATH": str(ROOT / "src")}


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _processor() -> float:
    """Return the processor time of every process that was started here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(command: tuple[object, ...], **more: str) -> tuple[float, float]:
    """Return the seconds and the processor time of a command.

    Raises:
        SystemExit: It failed; 1 is what both end with where they find something.
    """
    before, began = _processor(), time.perf_counter()
    done = subprocess.run(
        [str(one) for one in command],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean() | more,
    )
    if done.returncode > 1:
        raise SystemExit(f"{command[0]} ended with {done.returncode}.")
    return time.perf_counter() - began, _processor() - before


def _proof(path: Path) -> Proof:
    """Read a state and judge it, and write the report as the command does."""
    source = read(path)
    proof = prove(source.estate)
    given = inputs([("state or plan", path)], digested=True)
    made, digest = datetime.now(UTC), digest_of(source.estate)
    as_json(
        Report.of(
            proof, Subject(source.name, source.form, source.terraform, given, digest, made, "")
        )
    )
    return proof


def beside_checkov(
    state: dict[str, Any], configuration: dict[str, Any], checkov: Checkov, folder: Path
) -> None:
    """Print the times of both on one estate, measured in turn, and of the folder."""
    ours, theirs = folder / "state.json", folder / "plan.json"
    plan = Plans(state, configuration).of(resources(state))
    ours.write_text(json.dumps(state), encoding="utf-8")
    theirs.write_text(json.dumps(plan), encoding="utf-8")
    scan = (
        *(
            ENVIRONMENT / "python",
            "-m",
            "checkov.main",
            "--file",
            theirs,
            "--framework",
            "terraform_plan",
        ),
        *("--skip-download", "--quiet", "--output", "json"),
    )
    proven = (*COMMAND, ours, "--format", "json")
    _proof(ours)
    checkov.ask(plan)
    after, whole, used = [], [], []
    for _ in range(ROUNDS):
        after.append((_seconds(lambda: _proof(ours)), checkov.ask(plan).seconds))
        mine, other = _run(proven, **SOURCES), _run(scan)
        whole.append((mine[0], other[0]))
        used.append((mine[1], other[1]))
    folder_command = (*COMMAND, INFRA, "--var-file", PRIVATE)
    built = [_run(folder_command, **SOURCES) for _ in range(ROUNDS)]
    row("the private estate", "prove, s", "checkov, s", "times faster", "goal")
    row("---", "---", "---", "---", "---")
    for name, pairs, goal in (
        ("its state, after start-up", after, "0.5 s; 10 times"),
        ("its state, whole processes", whole, "10 times"),
        ("the same, processor time", used, ""),
    ):
        here, there = (statistics.median(one) for one in zip(*pairs, strict=True))
        ratio = statistics.median(slow / fast for fast, slow in pairs)
        row(name, f"{here:.3f}", f"{there:.3f}", f"{ratio:.1f}", goal)
    for name, number, goal in (
        ("its folder, whole process", 0, "10 s"),
        ("the same, processor time", 1, ""),
    ):
        row(name, f"{statistics.median(one[number] for one in built):.1f}", "", "", goal)


def growth(state: dict[str, Any], folder: Path) -> None:
    """Print the times of one estate and of its copies, and how they grow."""
    paths = {}
    for count in COUNTS:
        paths[count] = folder / f"{count}.json"
        paths[count].write_text(json.dumps(copies(state, count)), encoding="utf-8")
    times: dict[int, list[float]] = {count: [] for count in COUNTS}
    sizes = {}
    for _ in range(ROUNDS):
        for count, path in paths.items():
            # Processor time: the work is one thread's, and others use this machine too.
            began = time.process_time()
            proof = _proof(path)
            times[count].append(time.process_time() - began)
            sizes[count] = (proof.resources, proof.verdict)
            del proof
    row("copies", "resources", "verdict", "ms", "ms each", "growth", "n log n allows")
    row("---", "---", "---", "---", "---", "---", "---")
    for count, smaller in zip(COUNTS, (None, *COUNTS), strict=False):
        number, verdict = sizes[count]
        milliseconds = statistics.median(times[count]) * 1000
        grown = allowed = ""
        if smaller:
            before = sizes[smaller][0]
            grown = f"{milliseconds / statistics.median(times[smaller]) / 1000:.1f}"
            allowed = f"{number * math.log(number) / (before * math.log(before)):.1f}"
        row(
            *(count, number, verdict, f"{milliseconds:.1f}", f"{milliseconds / count:.1f}"),
            *(grown, allowed),
        )
