"""Workflows: pinned, without a secret, and refusing to plan where providers are not locked."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.command_line import NotTaken, commands_in, take
from tests.infra.estate import INFRA, ROOT
from tests.pipeline import DELIVER, clone, jobs, step

WORKFLOWS = sorted(
    path
    for folder in (ROOT, ROOT / "templates" / "common")
    for path in (folder / ".github" / "workflows").glob("*.yml")
)
PROVE = ROOT / ".github" / "workflows" / "prove.yml"
TEMPLATES = ROOT / "templates" / "common"
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
SCAN = ROOT / ".github" / "workflows" / "scan.yml"
USES = re.compile(r"^ +uses: (.*)$", re.MULTILINE)
PINNED = re.compile(r"[\w.-]+/[\w.-]+(?:/[\w-]+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+")
SOURCE = re.compile(r'^ +source += "([^"]+)"', re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that asks for the estate's providers."""
    shutil.copy(INFRA / "terraform.tf", tmp_path)
    return tmp_path


def lock(*providers: str) -> str:
    """Return a lock file in Terraform's words."""
    return "# This file is maintained automatically.\n" + "".join(
        f'\nprovider "registry.example/{name}" {{\n  version = "1.0.0"\n  hashes  = ["h1:x"]\n}}\n'
        for name in providers
    )


def refused(folder: Path) -> str:
    """Run the first step on a folder; return what it says, or nothing where the job goes on."""
    done = subprocess.run(
        [ROOT / ".ci" / "locked", folder], capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == (done.stderr == "")
    assert done.stdout == ""
    return done.stderr


def test_without_a_lock_file_the_first_step_refuses(folder: Path) -> None:
    """It says in one sentence which file is missing and what makes it."""
    said = refused(folder)

    assert said.startswith(f"{folder}/.terraform.lock.hcl is missing: run 'terraform ")
    assert "providers lock" in said
    assert said.count("\n") == 1


def test_with_every_provider_locked_the_job_goes_on(folder: Path) -> None:
    """The file that Terraform wrote is all that is asked for."""
    providers = SOURCE.findall((folder / "terraform.tf").read_text())
    (folder / ".terraform.lock.hcl").write_text(lock(*providers))

    assert len(providers) == 4
    assert refused(folder) == ""


def test_a_lock_file_that_leaves_a_provider_out_is_refused(folder: Path) -> None:
    """A provider that was added later is named, one that only resembles it does not count."""
    first, *others = SOURCE.findall((folder / "terraform.tf").read_text())
    (folder / ".terraform.lock.hcl").write_text(lock(*others, f"not{first}"))

    assert f"does not lock {first}: run 'terraform " in refused(folder)


def commands(job: dict[str, Any]) -> list[str]:
    """Return what a job's steps run, in order; an action is its name."""
    return [step.get("run", step.get("uses", "").partition("@")[0]) for step in job["steps"]]


@pytest.mark.parametrize("name", ["plan", "deliver"])
def test_nothing_of_azure_is_asked_before_the_refusal(name: str) -> None:
    """After the check-out the script is the first step, and `init` takes the lock file as it is."""
    steps = commands(jobs(DELIVER)[name])

    assert steps[:2] == ["actions/checkout", ".ci/locked infra"]
    assert [one for one in steps if " init " in one] == [
        "terraform -chdir=infra init -lockfile=readonly -backend-config=backend.json"
    ]


def test_the_real_plan_is_proven_before_it_is_kept() -> None:
    """Planning takes no lock, which would be a write; a plan with findings is never approved."""
    steps = commands(jobs(DELIVER)["plan"])
    prove, keep = steps[-2:]

    assert "-lock=false" in next(step for step in steps if " plan " in step)
    assert prove == '.venv/bin/secure-openai prove "$RUNNER_TEMP/plan.json" --config infra'
    assert "secure-openai plans keep" in keep


@pytest.mark.parametrize("folder", [ROOT, TEMPLATES], ids=["ours", "the templates"])
def test_every_command_of_ours_in_a_workflow_is_one_that_there_is(folder: Path) -> None:
    """With options and values that it has and all that it must have, in workflows and scripts."""
    workflows = (folder / ".github" / "workflows").glob("*.yml")
    texts = [
        *(
            one["run"]
            for path in workflows
            for job in jobs(path).values()
            for one in job["steps"]
            if "run" in one
        ),
        *((folder / ".ci" / name).read_text() for name in ("locked", "prove")),
    ]
    found = [words for text in texts for words in commands_in(text)]

    for words in found:
        take(words)
    assert len(found) == sum(text.count("bin/secure-openai ") for text in texts)
    assert len(found) >= 9
    assert {" ".join(words[: 1 + (words[0] == "plans")]) for words in found} == {
        "deploy",
        "package",
        "plans compare",
        "plans keep",
        "prove",
    }


@pytest.mark.parametrize(
    "typed",
    [
        "prove plan.json --configuration infra",
        "plans keep plan.json",
        "plans compare plan.json --container https://a.blob.core.windows.net/plans",
        "package application --output dist",
        "deploy dist --application applications.json",
        "plans kept plan.json --container https://a.blob.core.windows.net/plans",
    ],
)
def test_a_command_that_there_is_not_is_found(typed: str) -> None:
    """As a step may write it: an option, a value or a command that is none, or one left out."""
    (words,) = commands_in(f"digest=$(.venv/bin/secure-openai {typed})\n")

    with pytest.raises(NotTaken):
        take(words)


def test_what_was_approved_is_what_is_applied_and_deployed() -> None:
    """Packages and plan are made again and compared, each before anything is changed."""
    steps = commands(jobs(DELIVER)["deliver"])

    def place(text: str) -> int:
        (found,) = [number for number, step in enumerate(steps) if text in step]
        return found

    order = [
        "package functions",
        "sha256sum --check --strict",
        "terraform -chdir=infra plan",
        "secure-openai plans compare",
        "terraform -chdir=infra apply",
        "secure-openai deploy",
    ]
    assert [place(one) for one in order] == sorted(place(one) for one in order)
    assert place("secure-openai deploy") == len(steps) - 1
    assert '"$RUNNER_TEMP/estate.tfplan"' in steps[place("terraform -chdir=infra apply")]


@pytest.mark.parametrize(
    ("told", "goes_on"),
    [
        ("{app}  app.zip\n{functions}  functions.zip", True),
        ("{app}  app.zip\n{app}  functions.zip", False),
        ("{app}  app.zip", False),
        ("", False),
    ],
    ids=["the same", "another", "one alone", "nothing"],
)
def test_other_packages_than_were_made_before_are_refused(
    told: str, goes_on: bool, tmp_path: Path
) -> None:
    """As the step runs it: both packages are compared, whatever was or was not told."""
    refusing = step(DELIVER, "deliver", "Refuse other packages than were made before")
    digests = {}
    for kind in ("app", "functions"):
        (tmp_path / f"{kind}.zip").write_text(kind)
        digests[kind] = hashlib.sha256(kind.encode()).hexdigest()
        (tmp_path / f"{kind}.sha256").write_text(f"{digests[kind]}  {kind}.zip\n")
    done = subprocess.run(
        ["bash", "-e", "-c", refusing["run"]],
        cwd=tmp_path,
        env=os.environ | {"DIGESTS": told.format(**digests)},
        capture_output=True,
        check=False,
    )

    assert (done.returncode == 0) == goes_on


def test_rights_are_given_behind_an_environment_only() -> None:
    """Who signs in stands in an environment, who packages and proves has no right at all."""
    delivered, proven = jobs(DELIVER), jobs(PROVE)

    assert delivered["plan"]["environment"] == "${{ vars.ESTATE_PREFIX }}-plan"
    assert delivered["deliver"]["environment"] == "${{ vars.ESTATE_PREFIX }}-apply"
    assert delivered["deliver"]["needs"] == ["plan", "package"]
    assert delivered["package"]["permissions"] == {"contents": "read"}
    assert proven["prove"]["permissions"] == {"contents": "read"}
    assert "environment" not in {**delivered["package"], **proven["prove"], **proven["comment"]}


def test_what_may_write_a_comment_runs_nothing_of_the_pull_request() -> None:
    """It checks nothing out, and the report reaches it as a value that no shell reads."""
    job = jobs(PROVE)["comment"]
    (step,) = job["steps"]

    assert job["permissions"] == {"pull-requests": "write"}
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]
    assert "${{" not in step["run"]
    assert '"$REPORT"' in step["run"]


def test_the_proofs_report_becomes_the_comment(tmp_path: Path) -> None:
    """As the step runs it: what was proven is told, findings end the job, no fence can be left."""
    folder = tmp_path / "clone"
    (folder / ".venv" / "bin").mkdir(parents=True)
    command = folder / ".venv" / "bin" / "secure-openai"
    command.write_text(
        '#!/bin/sh\n[ "$1 $2 $3 $4" = "prove infra --var-file a.tfvars" ] || exit 9\n'
        "printf 'NET-01 is open\\n```\\nreport<<x' > \"$6\"; exit 1\n"
    )
    command.chmod(0o755)
    kept, summary = tmp_path / "output", tmp_path / "summary"
    done = subprocess.run(
        [ROOT / ".ci" / "prove", "infra", "a.tfvars"],
        cwd=folder,
        env=os.environ | {"GITHUB_OUTPUT": str(kept), "GITHUB_STEP_SUMMARY": str(summary)},
        capture_output=True,
        text=True,
        check=False,
    )
    first, *lines, last = kept.read_text().splitlines()

    assert done.returncode == 1, done.stderr
    assert first == f"report<<{last}"
    assert last not in lines
    assert lines.count("```") == 1
    assert "NET-01 is open" in lines
    assert summary.read_text().splitlines() == lines


@pytest.mark.process
def test_what_the_pull_request_is_told_is_the_real_proof(tmp_path: Path) -> None:
    """The step as it stands, on the estate as it stands."""
    clone(tmp_path)
    kept = tmp_path / "output"
    done = subprocess.run(
        [ROOT / ".ci" / "prove", INFRA, INFRA / "environments" / "private.tfvars"],
        cwd=tmp_path,
        env=os.environ | {"GITHUB_OUTPUT": str(kept), "GITHUB_STEP_SUMMARY": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "proven" in kept.read_text()


REPLACED = (
    (".ci/locked infra", "sh .ci/locked vendor/estate/infra"),
    (".ci/prove infra infra/environments/", "sh .ci/prove vendor/estate/infra infra/"),
    ("-chdir=infra", "-chdir=vendor/estate/infra"),
    ("--config infra", "--config vendor/estate/infra"),
    ("=backend.json", '="$GITHUB_WORKSPACE/infra/backend.json"'),
    ("=environments/private.tfvars", '="$GITHUB_WORKSPACE/infra/private.tfvars"'),
    ("=environments/bootstrap.tfvars.json", '="$GITHUB_WORKSPACE/infra/bootstrap.tfvars.json"'),
    ("make .venv/.test", "make .venv/.prove .venv/.deliver"),
    ("docs/deployment.md, step 4,", "infra/README.md"),
    ("    paths: [functions/**, infra/**, pyproject.toml, requirements/azure.txt, src/**]\n", ""),
    (" What ruff and checkov find in code\n# and Terraform ends `make test` already.", ""),
    ("[actions, javascript-typescript, python]", "[actions, python]"),
)  # fmt: skip
"""Where an application's own folder has other paths than this clone."""


@pytest.mark.parametrize("path", [PROVE, DELIVER, SCAN], ids=lambda one: one.name)
def test_the_templates_pipeline_is_ours(path: Path) -> None:
    """The same jobs, rights and refusals, with the paths of an application's own folder."""
    # Whether a pin is a commit of its own repository is asked here: the pins there are these.
    text = path.read_text().partition("\n  pins:")[0]
    for ours, theirs in REPLACED:
        text = text.replace(ours, theirs)

    assert text == (TEMPLATES / ".github" / "workflows" / path.name).read_text()


@pytest.mark.parametrize("name", ["advisories.py", "locked", "prove"])
def test_the_templates_scripts_are_ours(name: str) -> None:
    """One script, in two places."""
    assert (ROOT / ".ci" / name).read_text() == (TEMPLATES / ".ci" / name).read_text()


def test_a_release_is_held_to_the_real_providers_and_signs_in_nowhere() -> None:
    """Every test of the estate runs there, without state and without a right."""
    text = RELEASE.read_text()
    steps = re.findall(r"^        run: (.*)$", text, re.MULTILINE)

    assert steps == [
        "terraform -chdir=infra init -backend=false -input=false",
        "terraform -chdir=infra test",
        "terraform -chdir=infra/bootstrap init -backend=false -input=false",
        "terraform -chdir=infra/bootstrap validate",
    ]
    assert "id-token" not in text
    assert "ARM_" not in text
    assert sorted(one.parent for one in INFRA.rglob("*.tftest.hcl")) == [INFRA / "tests"] * 3


def test_dependencies_and_code_are_scanned_each_night_and_on_every_change() -> None:
    """Our own program asks for what is locked; the analysis may write alerts, and no more."""
    found = jobs(SCAN)
    triggers = yaml.safe_load(SCAN.read_text())[True]
    writing = {
        name: right
        for name, job in found.items()
        for right, how in job["permissions"].items()
        if how == "write"
    }

    assert set(triggers) == {"pull_request", "push", "schedule", "workflow_dispatch"}
    assert commands(found["dependencies"]) == ["actions/checkout", "python3 .ci/advisories.py"]
    assert writing == {"code": "security-events"}
    assert not [step for step in commands(found["code"]) if not re.match(r"[\w-]+/[\w-]+", step)]
    assert "environment" not in {**found["dependencies"], **found["code"], **found["pins"]}


def test_what_is_pinned_is_offered_newer() -> None:
    """Every folder with pins or locks is named; nothing is offered in its first week."""
    (ours, theirs) = (
        yaml.safe_load((folder / ".github" / "dependabot.yml").read_text())
        for folder in (ROOT, TEMPLATES)
    )
    named = {
        one["package-ecosystem"]: one.get("directories") or [one["directory"]]
        for one in ours["updates"]
    }
    pinned = [f"/{path}" for path in sorted({path.parent.relative_to(ROOT) for path in WORKFLOWS})]
    locked = sorted(ROOT.glob("tests/*/package-lock.json"))

    assert named == {
        "github-actions": ["/" if one == "/.github/workflows" else one for one in pinned],
        "npm": [f"/{path.parent.relative_to(ROOT)}" for path in locked],
        "pip": ["/requirements"],
    }
    assert [one["directory"] for one in theirs["updates"]] == ["/"]
    assert {
        one["cooldown"]["default-days"] for each in (ours, theirs) for one in each["updates"]
    } == {7}
    assert not {"registries"} & (ours.keys() | theirs.keys())


def test_an_action_has_one_commit_everywhere() -> None:
    """An action that two workflows use is one version of it, and a version is one commit."""
    uses = {one for path in WORKFLOWS for one in USES.findall(path.read_text())}
    repositories = {(one.split("@")[0].split("/")[:2][1], one.split("@")[1]) for one in uses}

    assert len(repositories) == len({name for name, _ in repositories})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda one: str(one.relative_to(ROOT)))
def test_a_workflow_is_pinned_and_keeps_no_secret(path: Path) -> None:
    """Actions by their commit; nothing is allowed but what a job says; no secret is read."""
    text = path.read_text()

    assert [one for one in USES.findall(text) if not PINNED.fullmatch(one)] == []
    assert "\npermissions: {}\n" in text
    assert "secrets." not in text
    assert "pull_request_target" not in text
    # What one job leaves for another passes as a digest: nobody else's bytes, kept or cached.
    assert not re.search(r"uses: actions/(cache|(up|down)load-artifact)|cache: ", text)
    if "id-token: write" in text:
        assert "\n    environment: " in text
        assert "pull_request:" not in text
