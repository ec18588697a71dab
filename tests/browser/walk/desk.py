"""What an administrator reads at the desk."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.walk.office import Office
from tests.browser.walk.way import Walk

DIMENSIONS = {
    "Principal": "principal",
    "Application": "application",
    "Deployment": "deployment",
    "Day": "day",
}


def turn_to(walk: Walk, page: str) -> None:
    """Choose a page of the desk at its side, and see it, its scripts there."""
    walk.to_side()
    walk.go(walk.page.locator("#side").get_by_role("link", name=page, exact=True))
    expect(walk.page.get_by_role("heading", level=1)).to_have_text(page)


def rows(walk: Walk, name: str) -> Locator:
    """Return the rows of a table, without its head."""
    return walk.page.get_by_role("region", name=name, exact=True).locator("tbody tr")


def overview(walk: Walk) -> None:
    """By the account's menu of the chat, in the theme that is chosen there; sums and a chart."""
    walk.go(walk.account().get_by_role("link", name="Administration"))
    expect(walk.page.get_by_role("heading", level=1)).to_have_text("Overview")
    menu = walk.account()
    with walk.page.expect_response("**/preferences"):
        menu.get_by_role("button", name=walk.theme.title()).click()
    expect(walk.page.locator("html")).to_have_attribute("data-theme", walk.theme)
    walk.look("the account's menu at the desk")
    walk.page.keyboard.press("Escape")
    walk.from_side()

    expect(walk.page.locator(".figure")).to_have_count(4)
    drawn(walk, 1)
    walk.look("the overview")


def usage_and_cost(walk: Walk, office: Office) -> None:
    """By each of four dimensions, drawn, in days one chooses, and as a file of the same rows."""
    turn_to(walk, "Usage and cost")
    with office.recorded(usage__rolled_up=1):
        walk.press(walk.page.get_by_role("button", name="Count now"))
        expect(walk.page.get_by_text("Counted up to now.")).to_be_visible()
    walk.go(walk.page.get_by_role("button", name="7 days"))
    expect(walk.page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    drawn(walk, 2)
    first = walk.page.get_by_label("From", exact=True)
    chosen = first.input_value()
    walk.page.get_by_label("To", exact=True).fill(chosen)
    walk.go(walk.page.get_by_role("button", name="Show", exact=True))
    expect(walk.page.locator(".chart").first.locator("g")).to_have_count(1)
    walk.go(walk.page.get_by_role("button", name="30 days"))
    for name, dimension in DIMENSIONS.items():
        tabs = walk.page.get_by_role("navigation", name="Add up by")
        walk.go(tabs.get_by_role("link", name=name, exact=True))
        expect(tabs.locator("[aria-current]")).to_have_text(name)
        shown = walk.page.locator(".tabs + .table tbody tr")
        with walk.page.expect_download() as begun:
            walk.page.get_by_role("link", name="CSV").click()
        assert begun.value.suggested_filename.startswith(f"usage-by-{dimension}-")
        lines = list(csv.DictReader(Path(begun.value.path()).read_text("utf-8-sig").splitlines()))
        expect(shown).to_have_count(len(lines))
        for column, place in (("requests", 0), ("prompt_tokens", 1), ("completion_tokens", 2)):
            written = [int(line[column]) for line in lines]
            read = [int(one.replace(",", "")) for one in texts(shown, f"td:nth-child({place + 2})")]
            assert written == read, (dimension, column)
        assert sum(float(line["cost"] or 0) for line in lines) > 0
        walk.look(f"usage by {dimension}")


def principals_and_roles(walk: Walk, office: Office) -> None:
    """Who was seen, found by a name, with the roles of their last sight."""
    office.come_in("Uma")
    turn_to(walk, "Principals")
    walk.look("the principals")
    search = walk.page.get_by_label("Name, user name or object id")
    search.fill("nobody of that name")
    with walk.page.expect_navigation():
        search.press("Enter")
    expect(walk.page.locator(".empty")).to_be_visible()
    walk.look("no principals")
    search.fill("ada")
    walk.go(walk.page.get_by_role("button", name="Search"))
    found = rows(walk, "Principals")
    expect(found).to_have_count(1)
    expect(found.locator(".badge")).to_have_text(["admin", "user"])
    search.fill("Uma")
    walk.go(walk.page.get_by_role("button", name="Search"))
    expect(found.locator(".badge")).to_have_text(["user"])
    walk.go(found.get_by_role("link"))

    expect(walk.page.get_by_role("heading", level=1)).to_have_text("Uma User")
    expect(walk.page.locator(".facts .badge")).to_have_text(["user"])
    drawn(walk, 1)


def quotas(walk: Walk) -> None:
    """Who has used more than half, the nearest first, and the limits in force."""
    turn_to(walk, "Quotas")
    near = rows(walk, "Near a limit")
    expect(near.first).to_contain_text("Ines Caldeira")
    expect(near.first.locator("meter")).to_be_visible()
    expect(walk.page.locator(".sentences")).to_contain_text("50,000 tokens")
    walk.look("the quotas")


def refusals(walk: Walk) -> None:
    """By reason, drawn by day; a reason leads to the records."""
    turn_to(walk, "Refusals")
    reasons = rows(walk, "By reason")
    expect(reasons.filter(has_text="tokens_per_day").locator(".number")).to_have_text("3")
    drawn(walk, 1)
    walk.look("the refusals")
    walk.go(reasons.get_by_role("link", name="unknown_deployment"))

    expect(rows(walk, "Records, the latest first")).to_have_count(1)
    walk.look("the records of a refusal")


def feedback(walk: Walk) -> None:
    """What was said on a day; on another one nothing was."""
    turn_to(walk, "Feedback")
    expect(walk.page.locator("blockquote").first).to_have_text(
        re.compile(r"The second figure|Exac")
    )
    expect(walk.page.locator(".said")).to_have_count(3)
    walk.look("the feedback of a day")
    walk.go(walk.page.get_by_role("link", name="Day before"))
    expect(walk.page.locator(".empty")).to_be_visible()
    walk.look("a day without feedback")


def audit_search(walk: Walk) -> None:
    """Filtered, page by page; what is no question is refused, and what nobody did is not found."""
    turn_to(walk, "Audit")
    records = rows(walk, "Records, the latest first")
    expect(records).to_have_count(50)
    before = records.locator("summary").first.inner_text()
    walk.go(walk.page.get_by_role("button", name="More"))
    expect(records.locator("summary").first).not_to_have_text(before)
    search_by(walk, {"Action": "completion.settled", "Who acted": "Lena Brandt"})
    expect(records).to_have_count(14)
    assert {one[:11] for one in texts(records, "td:nth-child(2) .who")} == {"Lena Brandt"}
    walk.look("records that were found")
    walk.go(walk.page.get_by_role("link", name="Refused", exact=True))
    expect(records.first.locator(".badge")).to_be_visible()
    assert records.locator(".badge").count() == records.count()
    search_by(walk, {"Reason": "nothing_of_the_kind"})
    expect(records).to_have_text(["No record answers this"])
    walk.look("no records")
    search_by(walk, {"Reason": "no reason at all"})
    expect(walk.page.get_by_text("Write reason in letters")).to_be_visible()
    walk.look("a question that is none")
    walk.page.go_back()


def search_by(walk: Walk, questions: dict[str, str]) -> None:
    """Write what to search for, and search."""
    for label, text in questions.items():
        walk.page.get_by_label(label, exact=True).fill(text)
    walk.go(walk.page.get_by_role("button", name="Search"))


def pool_health(walk: Walk) -> None:
    """Who answers, who does not and why, and what a million tokens cost there."""
    turn_to(walk, "Pool and deployments")
    circuits = rows(walk, "Circuits")
    expect(circuits.filter(has_text="sweden")).to_contain_text("not asked")
    expect(circuits.filter(has_text="sweden")).to_contain_text("model-throttled")
    expect(circuits.filter(has_text="norway").locator(".badge")).to_have_text("asked")
    expect(rows(walk, "Served here")).to_contain_text(["1.25"])
    expect(rows(walk, "Quota of the region").filter(has_text="AccountCount")).to_contain_text("30")
    walk.look("the pool")


def policy_explained(walk: Walk, office: Office) -> None:
    """Every sentence with the line of the file that says so."""
    turn_to(walk, "Policy")
    lines = office.policy.read_text("utf-8").splitlines()
    said = walk.page.locator(".sentences .fine")
    numbers = [int(one) for one in re.findall(r"line (\d+):", " ".join(said.all_inner_texts()))]
    written = said.locator("code").all_inner_texts()

    assert len(written) == len(numbers) >= 8
    assert written == [lines[number - 1].strip() for number in numbers]
    walk.look("the policy")


def drawn(walk: Walk, charts: int) -> None:
    """See that there are so many charts, and that each has bars."""
    expect(walk.page.locator("figure.chart")).to_have_count(charts)
    heights = walk.page.locator("figure.chart").evaluate_all(
        "all => all.map(one => Math.max(0, ...[...one.querySelectorAll('g rect:not(.reach)')]"
        ".map(bar => bar.getBoundingClientRect().height)))"
    )
    assert min(heights) > 20, heights


def texts(found: Locator, cells: str) -> list[str]:
    """Return what stands in some cells of rows."""
    return found.locator(cells).all_inner_texts()
