"""The service with its identity provider, both real: the refusals first."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from app import application
from secure_openai.testing.laptop import Laptop, laptop

POLICY = Path(__file__).parent.parent / "policy.toml"
QUESTION = {"question": "Is water wet?"}


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Laptop]:
    """Return the service, running under this folder's policy."""
    async with laptop(application, tmp_path, policy=POLICY) as running:
        yield running


async def test_without_a_token_nothing_answers(system: Laptop) -> None:
    """There is no page to be sent to either."""
    async with system.anyone(Accept="text/html") as http:
        assert (await http.post("/api/answers", json=QUESTION)).status_code == 401
        assert (await http.get("/")).status_code == 404


async def test_a_token_of_somebody_else_is_refused(system: Laptop) -> None:
    """What is no token of ours opens nothing."""
    async with system.anyone(Authorization="Bearer eyJhbGciOiJub25lIn0.e30.") as http:
        assert (await http.post("/api/answers", json=QUESTION)).status_code == 401


async def test_without_a_role_there_is_no_answer(system: Laptop) -> None:
    """Nora is known and has no role."""
    async with system.with_token("Nora") as http:
        assert (await http.post("/api/answers", json=QUESTION)).status_code == 403


@pytest.mark.parametrize(
    "body", [{}, {"question": ""}, {"question": 1}, QUESTION | {"model": "other"}]
)
async def test_what_is_not_declared_is_refused(body: dict[str, object], system: Laptop) -> None:
    """The body has the members declared, and no others."""
    async with system.with_token("Uma") as http:
        assert (await http.post("/api/answers", json=body)).status_code == 400
    assert [one for one in await system.audit() if one.action == "completion.admitted"] == []


async def test_a_person_and_another_application_are_answered(system: Laptop) -> None:
    """Each by its token, and the audit says who asked."""
    for http in (system.with_token("Uma"), system.as_service()):
        async with http:
            answer = await http.post("/api/answers", json=QUESTION)
            assert answer.status_code == 200
            assert answer.json()["answer"]
    admitted = [one for one in await system.audit() if one.action == "completion.admitted"]
    assert len({one.principal for one in admitted}) == 2
