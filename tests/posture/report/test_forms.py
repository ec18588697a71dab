"""What programs and terminals read: SARIF, JUnit, JSON and text."""

from __future__ import annotations

import json
from datetime import date
from email.message import Message
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from secure_openai.posture.proof import Accepted, Verdict
from secure_openai.posture.report import sarif
from secure_openai.posture.report.document import as_json
from secure_openai.posture.report.junit import as_junit
from secure_openai.posture.report.report import Report
from secure_openai.posture.report.sarif import as_sarif
from secure_openai.posture.report.text import as_text, text_lines
from tests.infra.estate import ROOT
from tests.posture.report.conftest import State
from tests.posture.report.reports import of_file, report_of

LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}


@pytest.fixture
def scanned(faults: State, monkeypatch: pytest.MonkeyPatch) -> tuple[Report, dict[str, Any]]:
    """Return a report with a finding, a doubt and an accepted finding, and its run of SARIF."""
    monkeypatch.chdir(ROOT)
    entry = Accepted("REACH-01", "module.store.azurerm_key_vault.this", "why", date(2099, 1, 1))
    report = report_of(faults, accepted=[entry], inputs=(of_file(Path("infra")),))
    (run,) = json.loads(as_sarif(report))["runs"]
    return report, run


def test_sarif_has_a_result_for_each_finding_and_doubt(
    scanned: tuple[Report, dict[str, Any]],
) -> None:
    """Findings fail, what cannot be told is open, what was accepted is suppressed."""
    report, run = scanned
    doubts = sum(len(one.doubts) for one in report.proof.judged)
    results = run["results"]
    suppressed = [one for one in results if "suppressions" in one]
    opened = [one for one in results if one.get("kind") == "open"]

    assert doubts > 0
    assert len(opened) == doubts
    assert {one["level"] for one in opened} == {"none"}
    assert [one["suppressions"][0]["justification"] for one in suppressed] == ["why"]
    assert len(results) == len(report.findings) + doubts + 1


def test_sarif_results_say_what_code_scanning_asks(
    scanned: tuple[Report, dict[str, Any]],
) -> None:
    """A rule by its place, a level, a real file with a line, and an identity of its own."""
    report, run = scanned
    rules = run["tool"]["driver"]["rules"]
    severities = {
        (one.judged.statement.id, one.finding.address): one.severity for one in report.findings
    }
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        (place,) = one["locations"]
        physical = place["physicalLocation"]
        assert (ROOT / physical["artifactLocation"]["uri"]).is_file()
        assert physical["region"]["startLine"] >= 1
        if "kind" not in one and "suppressions" not in one:
            address = place["logicalLocations"][0]["fullyQualifiedName"]
            assert one["level"] == LEVELS[severities[one["ruleId"], address]]
    prints = [one["partialFingerprints"]["primaryLocationLineHash"] for one in run["results"]]
    assert len(set(prints)) == len(prints)


def test_sarif_rules_can_be_shown(scanned: tuple[Report, dict[str, Any]]) -> None:
    """Each has its title, its reason, help and a score within GitHub's bounds."""
    _, run = scanned
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert rule["properties"]["tags"][0] == "security"
        assert len(rule["properties"]["tags"]) <= 20


def test_sarif_says_where_the_tool_is_at_home_if_it_has_a_home(
    faults: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the distribution says, and never an address that nobody vouches for."""
    named = Message()
    monkeypatch.setattr(sarif, "metadata", lambda _: named)
    driver = json.loads(as_sarif(report_of(faults)))["runs"][0]["tool"]["driver"]
    assert "informationUri" not in driver

    named["Project-URL"] = "Homepage, https://example.org/framework"
    driver = json.loads(as_sarif(report_of(faults)))["runs"][0]["tool"]["driver"]
    assert driver["informationUri"] == "https://example.org/framework"


def test_sarif_of_the_same_is_the_same(faults: State) -> None:
    """An alert keeps its identity from run to run."""
    assert as_sarif(report_of(faults)) == as_sarif(report_of(faults))


def test_junit_counts_what_it_holds(report: Report) -> None:
    """A finding is a failure, a doubt a skip, in the sums and in the cases."""
    root = ET.fromstring(as_junit(report))  # noqa: S314 - our own output
    (suite,) = root.findall("testsuite")
    counts = report.proof.count()

    assert root.tag == "testsuites"
    for one in (root, suite):
        assert one.get("tests") == str(len(report.proof.judged))
        assert one.get("failures") == str(counts.get(Verdict.FINDING, 0))
        assert one.get("skipped") == str(counts.get(Verdict.CANNOT_TELL, 0))
        assert one.get("errors") == "0"
    assert len(suite.findall("testcase")) == len(report.proof.judged)
    assert len(suite.findall("testcase/failure")) == counts.get(Verdict.FINDING, 0)
    assert len(suite.findall("testcase/skipped")) == counts.get(Verdict.CANNOT_TELL, 0)


def test_junit_failures_name_every_finding(faulty: Report) -> None:
    """With its address and its change."""
    root = ET.fromstring(as_junit(faulty))  # noqa: S314 - our own output
    text = "\n".join(one.text or "" for one in root.iter("failure"))

    for one in faulty.findings:
        assert f"{one.finding.address}: {one.finding.says}" in text
        assert one.finding.mend in text


def test_json_holds_the_whole_proof(report: Report) -> None:
    """What was read, every statement with what it saw, every finding with its change."""
    document = json.loads(as_json(report))

    assert document["format_version"] == "1.1"
    assert document["verdict"] == report.proof.verdict
    assert document["estate_sha256"] == report.subject.estate
    assert document["made"] == "2027-03-04T05:06:07+00:00"
    assert document["provider_facts"] == dict(report.subject.facts)
    assert [one["id"] for one in document["statements"]] == [
        one.statement.id for one in report.proof.judged
    ]
    found = [each for one in document["statements"] for each in one["findings"]]
    assert len(found) == len(report.findings)
    assert sum(len(one["seen"]) for one in document["statements"]) == sum(
        len(one.seen) for one in report.proof.judged
    )


def test_text_ends_with_the_verdict(report: Report) -> None:
    """The last line that one sees is the one that counts."""
    text = as_text(report, 200)

    assert text.splitlines()[-1].endswith(f"Verdict: {report.proof.verdict}. {report.sentence}.")


def test_text_is_as_wide_as_it_may_be(report: Report) -> None:
    """Addresses and HCL alone, which are copied, may be wider than 80 columns."""
    severities = ("critical", "high", "medium", "low")
    for line in as_text(report).splitlines():
        words = [one for one in line.split() if one not in severities]
        copied = words[:1] == ["│"] or len(words) == 1
        assert len(line) <= 80 or copied, line


def test_text_has_every_family_and_statement(report: Report) -> None:
    """Grouped, each once."""
    lines = as_text(report).splitlines()

    for family in report.families:
        assert lines.count(family.title) == 1
    for one in report.proof.judged:
        assert sum(one.statement.id in line.split()[:2] for line in lines) == 1


def test_text_says_each_finding_and_its_change(faulty: Report) -> None:
    """Before the next statement begins."""
    text = as_text(faulty, 200)

    for one in faulty.findings:
        assert one.finding.address in text
        assert one.finding.says in text
        assert all(f"│ {line}" in text for line in one.finding.mend.splitlines())


def test_text_is_coloured_by_verdict(faulty: Report) -> None:
    """Red for a finding, green for what is proven."""
    styles = {
        line.plain[:4].strip(): line.parts[0][1]
        for line in text_lines(faulty)
        if line.plain[2:3] in "✓✗" and line.parts
    }

    assert styles["✓"] == "bold green"
    assert styles["✗"] == "bold red"
