"""An administrator's way through the desk, and a person's to their data, in four combinations.

As in `test_walk.py`, each step is a function that is called for what it shows, and axe judges every
state on the way. The office is an organisation's that has made its pages its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import watched
from tests.browser.likeness import Likeness
from tests.browser.person import sign_in
from tests.browser.test_looks import THEMES, WIDTHS
from tests.browser.walk import acts, desk, mine, own
from tests.browser.walk.office import Office, office_in
from tests.browser.walk.way import Theme, Walk, walking
from tests.browser.wire import Wire
from tests.hosted.application import in_a_thread
from tests.tls import Tls

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(
    tmp_path_factory: pytest.TempPathFactory, signing_keys: bytes, tls: Tls
) -> Iterator[Office]:
    """One office for all ways."""
    with in_a_thread(office_in(tmp_path_factory.mktemp("office"), signing_keys, tls)) as opened:
        yield opened


@pytest.fixture
def walk(browser: Browser, office: Office, wire: Wire, width: int, theme: Theme) -> Iterator[Walk]:
    """Somebody who comes to it."""
    with walking(browser, office, wire, width, theme) as somebody:
        yield somebody


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_an_administrator_walks_through_the_desk(walk: Walk, office: Office) -> None:
    """Everything is read and done, cut off and tried again; axe finds nothing on the way."""
    own.signed_in(walk, "Ada")
    desk.overview(walk)
    desk.usage_and_cost(walk, office)
    desk.principals_and_roles(walk, office)
    acts.sessions_ended(walk, office)
    acts.asked_for_somebody(walk, office)
    desk.quotas(walk)
    desk.refusals(walk)
    desk.feedback(walk)
    desk.audit_search(walk)
    acts.chain_verified(walk, office)
    acts.hold_placed_and_lifted(walk, office)
    acts.cut_in_the_middle(walk, office)
    desk.pool_health(walk)
    acts.deployment_made_and_removed(walk, office)
    desk.policy_explained(walk, office)

    assert walk.found == [], "\n".join(walk.found)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_person_walks_to_their_own_data(walk: Walk, office: Office) -> None:
    """The notice, what is the organisation's, a cut, an export, who looked, an erasure; axe too."""
    office.hold("Uma", "Case 6")
    own.signed_in(walk, "Uma")
    own.notice_accepted(walk, office)
    own.named_and_coloured(walk)
    own.offered(walk)
    own.cut_off_for_good(walk, office)
    mine.refused_at_the_desk(walk, office)
    mine.exported(walk, office)
    mine.who_looked(walk)
    mine.erased(walk, office)
    mine.signed_out(walk)
    own.issuers_other_pages(walk)

    assert walk.found == [], "\n".join(walk.found)


def test_the_notice_looks_as_kept(browser: Browser, office: Office, likeness: Likeness) -> None:
    """At both widths and in both themes, with an organisation's name, logo and colours."""
    context = browser.new_context(reduced_motion="reduce", locale="en-GB")
    for page in watched(context.new_page()):
        sign_in(page, office, "Uma")
        expect(page.get_by_role("heading", name="Before you begin")).to_be_visible()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                likeness.look(page, f"notice-{width}-{theme}")
    context.close()

    assert likeness.different == {}
