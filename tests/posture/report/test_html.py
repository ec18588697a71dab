"""The report is one page: whole, in order, true to its proof, and loading nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import date

import pytest

from secure_openai.posture.estate import Estate
from secure_openai.posture.printable import printable
from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT, Accepted, Verdict, prove
from secure_openai.posture.report.controls import controls
from secure_openai.posture.report.html import as_html
from secure_openai.posture.report.illustration import NO_RELATIONS, NO_SHAPE
from secure_openai.posture.report.report import Report
from secure_openai.posture.report.subject import Subject
from tests.posture.report.conftest import State
from tests.posture.report.pages import ALLOWED, Page
from tests.posture.report.reports import MADE, report_of


def test_tags_are_in_order_and_none_is_a_stranger(report: Report) -> None:
    """The page is well-formed, of elements that belong to a report, each id once."""
    page = Page(as_html(report))

    assert page.faults == []
    assert {tag for tag, _ in page.tags} <= ALLOWED
    ids = page.attributes("id")
    assert sorted(set(ids)) == sorted(ids)


def test_nothing_is_loaded_from_elsewhere(report: Report) -> None:
    """Every link leads into the page; no attribute and no style names an address."""
    text = as_html(report)
    page = Page(text)

    assert all(one.startswith("#") for one in page.attributes("href"))
    assert {one.removeprefix("#") for one in page.attributes("href")} <= set(page.attributes("id"))
    loading = {"src", "srcset", "data", "action", "formaction", "poster", "background", "ping"}
    names = {name for _, attrs in page.tags for name in attrs}
    assert names & loading == set()
    assert {name for name in names if name.startswith("on")} == set()
    assert "style" not in names
    assert re.findall(r"url\(|@import|image-set|expression\(", "".join(page.styles)) == []


def test_the_policy_admits_its_own_style_and_nothing_else(report: Report) -> None:
    """Everything is forbidden but the one style, by its hash."""
    page = Page(as_html(report))
    (policy,) = (
        attrs["content"] or ""
        for tag, attrs in page.tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    )
    (style,) = page.styles
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert set(policy.split("; ")) == {
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        f"style-src 'sha256-{hashed}'",
    }


def test_the_verdict_is_the_proofs(report: Report) -> None:
    """Large at the top, and first in the title."""
    text = as_html(report)

    assert f'<span id="verdict">{report.proof.verdict}</span>' in text
    assert f"<title>{report.proof.verdict}: infra</title>" in text
    assert report.sentence in Page(text).words


def test_every_statement_is_there_once_with_what_it_says(report: Report) -> None:
    """Its title, its reason and what it looked at."""
    text = as_html(report)
    page = Page(text)

    for one in report.proof.judged:
        assert page.attributes("id").count(one.statement.id) == 1
        assert one.statement.title in page.words
        assert one.statement.reason in page.words
    assert [attrs["id"] for tag, attrs in page.tags if tag == "article" and "id" in attrs] == [
        one.statement.id for one in report.proof.judged
    ]
    assert sum(tag == "details" for tag, _ in page.tags) == len(report.proof.judged)


def test_every_finding_is_there_with_its_change(faulty: Report) -> None:
    """In the list, at its statement and on the picture."""
    text = as_html(faulty)
    page = Page(text)

    assert faulty.findings
    for one in faulty.findings:
        assert page.words.count(printable(one.finding.address)) >= 2
        assert " ".join(one.finding.says.split()) in page.words
        assert " ".join(one.finding.mend.split()) in page.words
        assert page.attributes("id").count(f"finding-{one.number}") == 1
    assert [one.number for one in faulty.findings] == list(range(1, len(faulty.findings) + 1))
    order = ["critical", "high", "medium", "low"]
    ranks = [order.index(one.severity) for one in faulty.findings]
    assert ranks == sorted(ranks)


def test_every_doubt_and_note_is_there(faulty: Report) -> None:
    """What cannot be told is told apart from what is proven."""
    words = Page(as_html(faulty)).words
    doubts = [doubt for one in faulty.proof.judged for doubt in one.doubts]

    assert doubts
    for doubt in doubts:
        assert f"Cannot be told: {doubt.says}." in words
    for one in faulty.proof.judged:
        for note in one.notes:
            assert f"To know: {note.says}." in words


def test_assumptions_are_printed(vouched: Report) -> None:
    """Each by name, in words, with what it is about."""
    words = Page(as_html(vouched)).words

    assert vouched.proof.assumptions
    assert f"under {len(vouched.proof.assumptions)} assumptions" in words
    for one in vouched.proof.assumptions:
        assert one.name in words
        assert one.says in words
        assert all(each in words for each in one.about)


def test_without_assumptions_it_says_so(private: Report) -> None:
    """An empty section would leave the reader in doubt."""
    assert "None: everything that was judged was read." in Page(as_html(private)).words


def test_accepted_findings_are_shown_with_reason_and_end(faults: State) -> None:
    """They count no more, and are not hidden."""
    entry = Accepted(
        "REACH-01", "module.store.azurerm_key_vault.this", "a trial & a test", date(2099, 1, 31)
    )
    report = report_of(faults, accepted=[entry])
    words = Page(as_html(report)).words

    assert "with 1 accepted finding" in words
    assert "Accepted until 2099-01-31:" in words
    assert "Reason: a trial & a test" in words


def test_what_only_verify_can_show_is_listed(private: Report) -> None:
    """No proof of a configuration pretends to more."""
    words = Page(as_html(private)).words

    assert all(one in words for one in ONLY_AFTER_DEPLOYMENT)


def test_controls_are_answered_by_statements(faulty: Report) -> None:
    """Each with its policies, its checks, its statements and the worst of their verdicts."""
    words = Page(as_html(faulty)).words
    found = controls(faulty.proof.judged)

    for control in found:
        assert control.title in words
        verdicts = [answer.judged.verdict for answer in control.answers]
        assert control.verdict in verdicts
        assert (Verdict.FINDING in verdicts) == (control.verdict is Verdict.FINDING)
        for answer in control.answers:
            assert all(one in words for one in (*answer.policies, *answer.checks))
    answered = {answer.judged.statement.id for one in found for answer in one.answers}
    assert answered == {one.statement.id for one in faulty.proof.judged}


def test_it_says_what_was_read_and_by_what(private: Report) -> None:
    """Digest, time, versions and the command that makes it again."""
    words = Page(as_html(private)).words

    assert f"SHA-256 {private.subject.estate}" in words
    assert "2027-03-04 05:06:07 UTC" in words
    assert f"secure-openai {private.subject.tool}" in words
    assert all(f"{name} {version}" in words for name, version in private.subject.facts.items())
    assert private.subject.command in words
    assert f"{private.proof.resources} resources" in words


def test_the_picture_has_a_mark_for_every_finding(faulty: Report) -> None:
    """By its number, linked to it, or counted where there are too many."""
    text = as_html(faulty)
    drawn = text[text.index("<svg") : text.index("</svg>")]
    linked = set(re.findall(r'href="#finding-(\d+)"', drawn))
    counted = sum(int(one) for one in re.findall(r">\+(\d+)</text>", drawn))

    assert linked
    assert len(linked) + counted >= len(faulty.findings)
    assert 'role="img"' in drawn
    assert "<title " in drawn
    assert "<desc " in drawn


@pytest.mark.parametrize("broken_shape", [["not", "a", "map"], "text", 3])
def test_a_shape_that_cannot_be_drawn_is_said(broken_shape: object) -> None:
    """The rest of the report is there all the same."""
    odd: State = {
        "format_version": "1.0",
        "values": {
            "root_module": {
                "resources": [
                    {
                        "address": "azurerm_linux_web_app.odd",
                        "mode": "managed",
                        "type": "azurerm_linux_web_app",
                        "values": {"id": "/x", "name": "odd", "app_settings": broken_shape},
                    }
                ]
            }
        },
    }
    page = Page(as_html(report_of(odd)))

    assert page.faults == []
    assert f"The estate cannot be drawn: {NO_SHAPE}." in page.words
    assert "has not the shape that its provider writes" in page.words


def test_a_plan_without_its_folder_is_not_drawn() -> None:
    """It does not know what stands in a network, and a picture would say that nothing does."""
    app = {
        "address": "azurerm_linux_web_app.this",
        "mode": "managed",
        "type": "azurerm_linux_web_app",
        "values": {"name": "app", "public_network_access_enabled": False},
    }
    estate = Estate.within({"root_module": {"resources": [app]}}, relations=False)
    subject = Subject("plan.json", "plan", "", (), "", MADE, "secure-openai prove plan.json")
    page = Page(as_html(Report.of(prove(estate), subject)))

    assert f"The estate cannot be drawn: {NO_RELATIONS}." in page.words
    assert "svg" not in {tag for tag, _ in page.tags}
    assert "Not judged: " in page.words
