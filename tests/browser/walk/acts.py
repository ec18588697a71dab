"""What an administrator does at the desk; each act stands in the audit once."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.walk.desk import rows, turn_to
from tests.browser.walk.office import Office
from tests.browser.walk.way import Walk

BROKE = re.compile("The connection broke before an answer came. Try again")


def sessions_ended(walk: Walk, office: Office) -> None:
    """One, and then all that are left; who had them is signed out."""
    for _ in range(3 - office.sessions("Uma")):
        office.come_in("Uma")
    walk.page.reload()
    open_ones = rows(walk, "Sessions")
    expect(open_ones).to_have_count(3)
    walk.look("a principal")
    with office.recorded(session__revoked=2):
        walk.press(open_ones.first.get_by_role("button", name="End"))
        expect(walk.page.get_by_text("The session has ended.")).to_be_visible()
        assert office.sessions("Uma") == 2
        walk.press(walk.page.get_by_role("button", name="End all sessions"))
        expect(walk.page.get_by_text("Every session has ended.")).to_be_visible()

    assert office.sessions("Uma") == 0
    expect(open_ones).to_have_text(["No open session"])
    walk.look("a principal without a session")


def asked_for_somebody(walk: Walk, office: Office) -> None:
    """An export at once; an erasure with the object id only, and other words say so in place."""
    with office.recorded(export__asked=1, erasure__asked=0):
        walk.press(walk.page.get_by_role("button", name="Ask for an export"))
        expect(walk.page.get_by_text("An export was asked for")).to_be_visible()
        walk.page.locator("summary").filter(has_text="Ask for erasure").click()
        confirm = walk.page.get_by_label("Write the object id to confirm")
        confirm.fill("Uma")
        walk.press(walk.page.get_by_role("button", name="Ask for erasure"))
        expect(walk.page.get_by_role("alert")).to_contain_text("write the object id")
    expect(confirm).to_have_value("Uma")
    walk.look("an erasure that was not confirmed")
    office.carry_out()


def hold_placed_and_lifted(walk: Walk, office: Office) -> None:
    """Beside how long things are kept; whoever is nobody is refused where one wrote the name."""
    turn_to(walk, "Retention and holds")
    expect(walk.page.locator(".sentences li")).not_to_have_count(0)
    expect(rows(walk, "Legal holds")).to_have_text(["Nothing is held"])
    walk.look("no holds")
    with office.recorded(hold__placed=1, hold__lifted=1):
        who = walk.page.get_by_label("Principal", exact=True)
        who.fill("Nobody Atall")
        walk.page.get_by_label("Reference of the case").fill("Case 7")
        place(walk)
        expect(walk.page.get_by_role("alert")).to_contain_text("Nobody who was seen here")
        expect(walk.page.get_by_label("Reference of the case")).to_have_value("Case 7")
        walk.look("a hold of nobody")
        who.fill("Uma User")
        place(walk)
        expect(walk.page.get_by_text("The hold stands.")).to_be_visible()
        expect(rows(walk, "Legal holds")).to_have_count(1)
        expect(rows(walk, "Legal holds").get_by_role("rowheader")).to_have_text("Case 7")
        assert office.holds() == ["Case 7"]
        walk.look("a hold")
        pressed(walk, rows(walk, "Legal holds").get_by_role("button", name="Lift"))
        expect(walk.page.get_by_text("The hold is lifted.")).to_be_visible()

    assert office.holds() == []


def cut_in_the_middle(walk: Walk, office: Office) -> None:
    """Before an act arrives and before its answer does: it is told, tried again, and done once."""
    with office.recorded(hold__placed=1, hold__lifted=1):
        walk.page.get_by_label("Principal", exact=True).fill("Uma User")
        walk.page.get_by_label("Reference of the case").fill("Case 8")
        walk.page.wait_for_load_state()
        walk.wire.cut()
        place(walk)
        expect(walk.page.get_by_role("alert")).to_have_text(BROKE)
        expect(walk.page.get_by_label("Reference of the case")).to_have_value("Case 8")
        assert office.holds() == []
        walk.look("an act that was cut off")
        walk.wire.mend()
        place(walk)
        expect(walk.page.get_by_text("The hold stands.")).to_be_visible()
        assert office.holds() == ["Case 8"]

        lift = rows(walk, "Legal holds").get_by_role("button", name="Lift")
        walk.page.wait_for_load_state()
        walk.wire.lose_next_answer()
        walk.press(lift)
        expect(walk.page.get_by_role("alert")).to_have_text(BROKE)
        assert office.holds() == []
        walk.look("an act whose answer was lost")
        walk.press(lift)
        expect(walk.page.get_by_role("alert")).to_have_text("There is no such hold.")
    walk.page.reload()

    expect(rows(walk, "Legal holds")).to_have_text(["Nothing is held"])


def chain_verified(walk: Walk, office: Office) -> None:
    """The page follows it to its end, asks again where a call fails, and says what was read."""
    turn_to(walk, "Audit")
    walk.page.route("**/api/admin/audit/verification", lambda route: route.abort(), times=1)
    with office.recorded(audit__verification__started=1):
        walk.press(walk.page.get_by_role("button", name="Verify"))
        expect(walk.page.get_by_text("The verification is under way.")).to_be_visible()
        expect(walk.page.locator("#verification[data-running]")).to_have_count(0)
    expect(walk.page.locator("#verification")).to_have_text(re.compile(r"Records read: [\d,]+, in"))
    expect(walk.page.locator(".card .badge.good").first).to_have_text("whole")
    walk.look("an audit that is whole")


def deployment_made_and_removed(walk: Walk, office: Office) -> None:
    """What management allows: refused where it cannot be, followed to its end, removed by name."""
    turn_to(walk, "Pool and deployments")
    name = f"answers-{walk.own.replace(' ', '-')}"
    expect(rows(walk, "Deployed")).to_have_count(1)
    with office.recorded(deployment__create__refused=1, deployment__delete__refused=1):
        field = walk.page.get_by_role("textbox", name="Name", exact=True)
        field.fill(name)
        walk.page.get_by_role("textbox", name="Model").fill("gpt-9")
        walk.press(walk.page.get_by_role("button", name="Deploy a model"))
        expect(walk.page.get_by_role("alert")).to_be_visible()
        expect(field).to_have_value(name)
        walk.look("a deployment that is refused")
        walk.page.get_by_role("textbox", name="Model").fill("gpt-5.1")
        walk.page.get_by_label("Capacity").fill("20")
        walk.press(walk.page.get_by_role("button", name="Deploy a model"))
        followed(walk, f"{name} in main is being created: done.")
        made = rows(walk, "Deployed").filter(has_text=name)
        expect(made).to_contain_text("gpt-5.1")
        walk.look("a deployment that was made")
        made.locator("summary").click()
        confirm = made.get_by_label("Write its name to confirm")
        confirm.fill("chat")
        walk.press(made.get_by_role("button", name="Delete"))
        expect(made.get_by_role("alert")).to_be_visible()
        walk.look("a deletion that was not confirmed")
        confirm.fill(name)
        pressed(walk, made.get_by_role("button", name="Delete"))
        followed(walk, f"{name} in main is being deleted: done.")

    expect(rows(walk, "Deployed")).to_have_count(1)
    assert list(office.manager.deployments) == ["chat"]


def followed(walk: Walk, end: str) -> None:
    """Ask how an operation stands until it has ended."""
    told = walk.page.locator(".notice").first
    expect(told).to_contain_text(end.rpartition(" ")[0])
    walk.page.wait_for_load_state()
    while (again := told.get_by_role("link", name="Ask again")).is_visible():
        walk.go(again)
    expect(told).to_contain_text(end)


def place(walk: Walk) -> None:
    """Press what places a hold."""
    walk.press(walk.page.get_by_role("button", name="Hold", exact=True))


def pressed(walk: Walk, button: Locator) -> None:
    """Press a button that lies in the window as it is: nothing is pushed aside for it."""
    button.scroll_into_view_if_needed()
    aside = walk.page.locator(".table").evaluate_all("all => all.map(one => one.scrollLeft)")
    assert set(aside) == {0}, "one has to push a table aside"
    walk.press(button)
