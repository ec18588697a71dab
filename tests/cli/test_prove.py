"""`secure-openai prove`: what it reads, what it writes and how it ends."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from secure_openai.cli.main import app
from secure_openai.posture.reading import Source, read
from secure_openai.posture.report.subject import digest
from secure_openai.posture.simulation import simulate
from tests.infra.estate import INFRA, ROOT, built, environment

PRIVATE = environment("private")


def run(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["prove", *map(str, arguments)])


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a state of each environment, a plan of the private one, and bootstrap's state."""
    folder = tmp_path_factory.mktemp("states")
    found = {}
    for name in ("private", "public", "government", "existing-network"):
        found[name] = folder / f"{name}.json"
        found[name].write_text(json.dumps(built(name).state))
    found["plan"] = folder / "plan.json"
    found["plan"].write_text(json.dumps(built("private").plan))
    with simulate(INFRA / "bootstrap", var_files=[INFRA / "bootstrap" / "example.tfvars"]) as done:
        found["bootstrap"] = folder / "bootstrap.json"
        found["bootstrap"].write_text(json.dumps(done.state))
    return found


@pytest.mark.parametrize("name", ["private", "government"])
def test_private_estates_are_proven_without_a_finding(states: dict[str, Path], name: str) -> None:
    """Every statement, in both clouds."""
    result = run(states[name])
    assert result.exit_code == 0, result.output
    assert "49 of 49 statements proven." in result.output


def test_a_folder_is_proven_without_an_account() -> None:
    """Terraform builds it into a cloud that is not there."""
    result = run(INFRA, "--var-file", PRIVATE)
    assert result.exit_code == 0, result.output


def test_an_existing_network_is_proven_under_its_printed_assumptions(
    states: dict[str, Path],
) -> None:
    """Without them it cannot be told; with them each is printed."""
    bare = run(states["existing-network"])
    assert bare.exit_code == 2
    assert "cannot tell" in bare.output
    assumed = run(
        states["existing-network"],
        "--assume",
        INFRA / "environments" / "existing-network.assumptions.json",
    )
    assert assumed.exit_code == 0, assumed.output
    assert "hub zones" in assumed.output
    assert "spoke rules" in assumed.output


def test_public_has_the_findings_that_being_public_means(states: dict[str, Path]) -> None:
    """It is reachable and in no network; keyless and signed in all the same."""
    document = json.loads(run(states["public"], "--format", "json").output)
    found = {one["id"] for one in document["statements"] if one["verdict"] == "finding"}
    assert found == {"REACH-01", "REACH-10"}
    assert document["verdict"] == "finding"


def test_bootstrap_lists_its_two_declared_doors(states: dict[str, Path]) -> None:
    """They are notes with their reasons; all else is proven."""
    document = json.loads(run(states["bootstrap"], "--format", "json").output)
    doors = next(one for one in document["statements"] if one["id"] == "REACH-01")
    assert [note["address"] for note in doors["notes"]] == [
        "azurerm_storage_account.packages",
        "azurerm_storage_account.state",
    ]
    assert document["verdict"] == "proven"


@pytest.mark.parametrize(
    ("name", "cloud", "code"),
    [
        ("private", "public", 0),
        ("private", "usgovernment", 1),
        ("government", "usgovernment", 0),
        ("government", "public", 1),
    ],
)
def test_the_cloud_may_be_said(states: dict[str, Path], name: str, cloud: str, code: int) -> None:
    """An estate of one cloud does not stand in another."""
    result = run(states[name], "--cloud", cloud, "--format", "json")
    assert result.exit_code == code
    document = json.loads(result.stdout)
    assert document["cloud"] == cloud
    verdicts = {one["id"]: one["verdict"] for one in document["statements"]}
    assert verdicts["NAMES-02"] == ("finding" if code else "proven")


def test_a_plan_proves_settings_and_its_folder_proves_the_rest(states: dict[str, Path]) -> None:
    """What refers to what is not known before it is built."""
    bare = run(states["plan"], "--format", "json")
    assert bare.exit_code == 2
    verdicts = {one["id"]: one["verdict"] for one in json.loads(bare.output)["statements"]}
    assert verdicts["KEYS-01"] == "proven"
    assert verdicts["NAMES-01"] == "cannot tell"
    assert run(states["plan"], "--config", INFRA).exit_code == 0


def test_a_plan_of_another_configuration_is_refused(
    states: dict[str, Path], tmp_path: Path
) -> None:
    """Every known value must agree."""
    plan: Any = json.loads(states["plan"].read_text())
    root = plan["planned_values"]["root_module"]["resources"]
    group = next(one for one in root if one["type"] == "azurerm_resource_group")
    group["values"]["location"] = "westeurope"
    changed = tmp_path / "plan.json"
    changed.write_text(json.dumps(plan))
    result = run(changed, "--config", INFRA)
    assert result.exit_code == 2
    assert "another configuration" in result.output


@pytest.mark.parametrize("form", ["text", "json", "sarif", "html", "junit"])
@pytest.mark.parametrize(("name", "code"), [("private", 0), ("public", 1), ("existing-network", 2)])
def test_every_form_ends_as_the_proof_does(
    states: dict[str, Path], tmp_path: Path, form: str, name: str, code: int
) -> None:
    """To the terminal or into a file, with the verdict told beside a file."""
    printed = run(states[name], "--format", form)
    assert printed.exit_code == code, printed.output
    assert printed.stdout.strip()
    written = tmp_path / "written"
    result = run(states[name], "--format", form, "--output", written)
    assert result.exit_code == code
    assert result.stdout == ""
    verdict = {0: "proven", 1: "finding", 2: "cannot tell"}[code]
    assert f": {verdict}, " in result.stderr
    assert written.read_text().strip()
    assert list(tmp_path.iterdir()) == [written]


def test_a_page_says_what_was_read(states: dict[str, Path], tmp_path: Path) -> None:
    """Every file that was given, with its digest, and the command that makes it again."""
    baseline = tmp_path / "baseline.json"
    baseline.write_text(entry())
    page = run(states["public"], "--baseline", baseline, "--format", "html").stdout
    for path in (states["public"], baseline):
        assert str(path) in page
        assert hashlib.sha256(path.read_bytes()).hexdigest() in page
    command = f"secure-openai prove {states['public']} --baseline {baseline} --format html"
    assert command in page


def test_a_page_of_a_folder_has_the_folders_digest() -> None:
    """And that of its variables."""
    page = run(INFRA, "--var-file", PRIVATE, "--format", "html").stdout
    assert digest(INFRA) in page
    assert hashlib.sha256(PRIVATE.read_bytes()).hexdigest() in page
    assert "applied in simulation" in page


def test_what_changes_while_it_is_read_is_refused(
    states: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A digest would name another file than the one that was judged."""
    given = tmp_path / "state.json"
    given.write_bytes(states["private"].read_bytes())

    def read_and_change(path: Path, **options: Any) -> Source:
        found = read(path, **options)
        path.write_bytes(states["public"].read_bytes())
        return found

    monkeypatch.setattr("secure_openai.cli.proving.read", read_and_change)
    result = run(given, "--format", "html")
    assert result.exit_code == 2
    assert "was changed while it was read" in " ".join(result.output.split())


def test_sarif_of_a_folder_names_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the repository, at the line of the argument."""
    monkeypatch.chdir(ROOT)
    result = run("infra", "--var-file", environment("public"), "--format", "sarif")
    (scan,) = json.loads(result.stdout)["runs"]
    places = {
        one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: one["locations"][0][
            "physicalLocation"
        ]
        for one in scan["results"]
    }
    vault = places["module.store.azurerm_key_vault.this"]
    line = (
        (ROOT / vault["artifactLocation"]["uri"])
        .read_text()
        .splitlines()[vault["region"]["startLine"] - 1]
    )
    assert line.split()[0] == "public_network_access_enabled"


def test_what_cannot_be_written_is_told(states: dict[str, Path], tmp_path: Path) -> None:
    """In a sentence, and nothing is left behind."""
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "inside").write_text("")
    result = run(states["private"], "--format", "html", "--output", folder)
    assert result.exit_code == 2
    assert "cannot be written" in " ".join(result.output.split())
    assert [one.name for one in tmp_path.iterdir()] == ["taken"]


def test_help_shows_examples() -> None:
    """Each on a line of its own, to be copied."""
    shown = run("--help").output
    for example in (
        "secure-openai prove infra --var-file infra/environments/private.tfvars",
        "secure-openai prove state.json --format html --output report.html",
        'secure-openai prove state.json --explain "web -> cosmos"',
    ):
        assert any(line.strip() == example for line in shown.splitlines()), example


def test_sarif_names_rules_and_results(states: dict[str, Path], tmp_path: Path) -> None:
    """As code scanning reads it."""
    written = tmp_path / "findings.sarif"
    assert run(states["public"], "--format", "sarif", "--output", written).exit_code == 1
    (scan,) = json.loads(written.read_text())["runs"]
    rules = {one["id"] for one in scan["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in scan["results"]} <= rules
    assert all(one["level"] == "warning" for one in scan["results"] if one["ruleId"] == "REACH-01")


def test_junit_fails_what_has_findings(states: dict[str, Path]) -> None:
    """A finding is a failure, a doubt a skip."""
    text = run(states["existing-network"], "--format", "junit").output
    suite = ET.fromstring(text)  # noqa: S314 - our own output
    assert suite.get("failures") == "0"
    assert suite.get("skipped") == str(len(suite.findall(".//skipped"))) != "0"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("internet -> cosmos", "closed"),
        ("web -> cosmos", "open"),
        ("applications -> vault", "open"),
        ("functions -> storage", "open"),
    ],
)
def test_a_way_is_explained_hop_by_hop(states: dict[str, Path], question: str, said: str) -> None:
    """The path, or the first thing that stops it."""
    result = run(states["private"], "--explain", question)
    assert result.exit_code == 0, result.output
    assert f": {said}\n" in result.output


def test_a_way_is_written_for_programs(states: dict[str, Path]) -> None:
    """With every hop, and where the configuration declares what decides."""
    result = run(states["private"], "--explain", "web -> cosmos", "--format", "json")
    (way,) = json.loads(result.stdout)["ways"]
    assert way["verdict"] == "open"
    assert {hop["verdict"] for hop in way["hops"]} == {"open"}
    assert not any(hop["address"].startswith("/subscriptions/") for hop in way["hops"])


def test_a_way_ends_where_it_is_stopped(states: dict[str, Path]) -> None:
    """What comes after would be walked by nobody."""
    lines = run(states["private"], "--explain", "internet -> cosmos").stdout.splitlines()
    assert lines[-2].startswith("  ✗ ")
    assert lines[-1].strip() == "module.store.azurerm_cosmosdb_account.this"


@pytest.mark.parametrize("form", ["sarif", "html", "junit"])
def test_a_way_has_two_forms(states: dict[str, Path], form: str) -> None:
    """It is no list of findings."""
    result = run(states["private"], "--explain", "web -> cosmos", "--format", form)
    assert result.exit_code == 2
    assert "--explain is written as text or json." in " ".join(result.output.split())


@pytest.mark.parametrize("question", ["cosmos", "internet -> nothing", "nowhere -> cosmos", "->"])
def test_a_question_about_nothing_is_refused(states: dict[str, Path], question: str) -> None:
    """It says what there is."""
    result = run(states["private"], "--explain", question)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"format_version": "1.0", "values": ', "not whole JSON"),
        ("[]", "neither a state nor a plan"),
        ('{"format_version": "9.0", "values": {}}', "format version"),
        ('{"version": 4, "lineage": "x"}', "as Terraform keeps it"),
        ('{"format_version": "1.0"}', "holds no resources"),
        ('{"format_version": "1.0", "values": {"root_module": {}}}', "holds no resources"),
        (
            '{"format_version": "1.0", "values": {"root_module": {"resources": [{"address": '
            '"aws_s3_bucket.a", "mode": "managed", "type": "aws_s3_bucket", "values": {}}]}}}',
            "nothing in Azure",
        ),
        ('{"format_version": "1.0", "planned_values": 3}', "no whole plan"),
        ("[" * 100_000, "not whole JSON"),
    ],
)
def test_what_is_no_estate_is_refused_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    """Exit 2, and never a traceback."""
    given = tmp_path / "given.json"
    given.write_text(text)
    result = run(given)
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.output.split())


def entry(**changes: str) -> str:
    """Return a baseline with one entry."""
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    accepted = {
        "statement": "REACH-01",
        "address": "module.store.azurerm_key_vault.this",
        "reason": "a trial of four weeks",
        "expires": tomorrow,
    }
    return json.dumps({"accepted": [accepted | changes]})


def test_an_accepted_finding_is_told_with_its_reason(
    states: dict[str, Path], tmp_path: Path
) -> None:
    """It counts no more, and is not hidden."""
    baseline = tmp_path / "baseline.json"
    baseline.write_text(entry())
    result = run(states["public"], "--baseline", baseline)
    assert "accepted until" in result.output
    assert "a trial of four weeks" in result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (entry(expires="2020-01-01"), "expired on 2020-01-01"),
        (entry(expires="soon"), "is a day"),
        (entry(statement="REACH-99"), "no statement REACH-99"),
        (entry(address="nothing.here"), "which is no finding"),
        (entry(reason=" "), "say the reason"),
        ("{}", "accepted"),
        ("{", "not JSON"),
    ],
)
def test_a_baseline_that_does_not_hold_is_refused(
    states: dict[str, Path], tmp_path: Path, text: str, says: str
) -> None:
    """An acceptance that expired, or accepts nothing, is a mistake."""
    baseline = tmp_path / "baseline.json"
    baseline.write_text(text)
    result = run(states["public"], "--baseline", baseline)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())


def test_a_shape_that_no_provider_writes_proves_nothing(
    states: dict[str, Path], tmp_path: Path
) -> None:
    """It cannot be told, and is never a traceback."""
    state: Any = json.loads(states["private"].read_text())
    for one in state["values"]["root_module"]["child_modules"]:
        for resource in one["resources"]:
            if resource["type"] == "azurerm_linux_web_app":
                resource["values"]["app_settings"] = ["not", "a", "map"]
    given = tmp_path / "odd.json"
    given.write_text(json.dumps(state))
    result = run(given)
    assert result.exit_code != 0
    assert "has not the shape" in result.output
