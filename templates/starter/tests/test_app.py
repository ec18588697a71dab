"""The application with its identity provider, both real: the refusals first."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from app import application
from secure_openai.testing.laptop import Laptop, laptop

POLICY = Path(__file__).parent.parent / "policy.toml"


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Laptop]:
    """Return the application, running under this folder's policy."""
    async with laptop(application, tmp_path, policy=POLICY) as running:
        yield running


async def test_without_sign_in_nothing_answers(system: Laptop) -> None:
    """A browser is sent to sign in; a program is refused."""
    async with system.anyone(Accept="text/html") as http:
        assert (await http.get("/")).headers["location"] == "/sign-in?return_to=/"
    async with system.anyone(Origin=system.url) as http:
        assert (await http.post("/", data={"question": "?"})).status_code == 401


async def test_without_a_role_there_is_no_page(system: Laptop) -> None:
    """Nora is known and has no role."""
    async with system.signed_in("Nora") as http:
        assert (await http.get("/")).status_code == 403


async def test_another_sites_form_is_refused(system: Laptop) -> None:
    """A cookie alone proves nothing."""
    async with system.signed_in("Uma") as http:
        other = {"Origin": "https://other.example", "Sec-Fetch-Site": "cross-site"}
        page = await http.post("/", data={"question": "?"}, headers=other)
        assert page.status_code == 403


async def test_a_question_larger_than_policy_allows_never_reaches_the_model(
    system: Laptop,
) -> None:
    """It is refused and recorded, without its text."""
    async with system.signed_in("Uma") as http:
        page = await http.post("/", data={"question": "word, " * 200_000})
        assert page.status_code in {400, 413}
    assert [one for one in await system.audit() if one.action == "completion.admitted"] == []


async def test_a_person_asks_and_is_answered(system: Laptop) -> None:
    """The answer is on the page, and the audit says who asked and why that was allowed."""
    async with system.signed_in("Uma") as http:
        page = await http.post("/", data={"question": "Is <water> wet?"})
        assert page.status_code == 200
        assert "You said: Is &lt;water&gt; wet?" in page.text
        assert page.text.endswith("</html>")
    (admitted,) = [one for one in await system.audit() if one.action == "completion.admitted"]
    assert admitted.reason == "admitted"


async def test_an_answer_that_breaks_off_says_so(system: Laptop) -> None:
    """What came stays on the page, with a word about its end."""
    async with system.signed_in("Uma") as http:
        page = await http.post("/", data={"question": "cut 3"})
        assert "scripted answered. The model" in page.text
