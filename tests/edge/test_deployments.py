"""Deployments managed by administrators, over HTTP, against Resource Manager's shapes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from secure_openai.deployments import Deployments
from secure_openai.errors import AuditUnavailable
from secure_openai.model.management import operations
from secure_openai.model.management.interface import Wanted
from secure_openai.store.audit import AuditEvent
from secure_openai.testing.person import named
from secure_openai.types import Principal, PrincipalId, PrincipalKind
from tests.azure_cli import stand_in
from tests.edge.test_refusals import problem
from tests.model.management.resource_manager import ACCOUNT_ID, TOKEN, ResourceManager, arm_error
from tests.model.management.running import azure, running_manager
from tests.servers import listening, port_of, served
from tests.tls import Tls, proxying
from tests.world import World, running_world

MAIN = "/api/admin/accounts/main"
NEW = {"name": "answers", "model": "gpt-5.1", "capacity": 20}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again at once."""
    monkeypatch.setattr(operations, "LEAST_PAUSE_SECONDS", 0.001)


@pytest.fixture
async def manager(world: World, tls: Tls) -> AsyncIterator[ResourceManager]:
    """Resource Manager, with the application's management on it."""
    async with running_manager(tls) as made:
        management = azure(made.url, tls.ca)
        world.assembly.deployments.management = management
        yield made
        await world.assembly.deployments.aclose()
        await management.aclose()


async def acts(world: World, count: int) -> list[AuditEvent]:
    """Return what the audit says of deployments, once there are so many records."""
    async with asyncio.timeout(60):
        while True:
            found = [one for one in await world.events() if one.action.startswith("deployment.")]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)


async def ended(http: httpx2.AsyncClient, begun: httpx2.Response) -> dict[str, Any]:
    """Ask where the answer says, until it has ended."""
    assert begun.status_code == 202
    assert begun.headers["location"] == begun.json()["operation"]
    async with asyncio.timeout(60):
        while True:
            asked = await http.get(begun.headers["location"])
            assert asked.status_code == 200
            if asked.json()["state"] != "under_way":
                assert "retry-after" not in asked.headers
                return dict(asked.json())
            assert int(asked.headers["retry-after"]) >= 1


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no name": ({"model": "gpt-5.1"}, 400, "missing"),
    "unknown member": (NEW | {"account": "main"}, 400, "not known"),
    "capacity as text": (NEW | {"capacity": "20"}, 400, "integer"),
    "a name that is none": (NEW | {"name": "../x"}, 400, "Write name with"),
    "a model that is none": (NEW | {"model": "a b"}, 400, "Write model with"),
    "no capacity": (NEW | {"capacity": 0}, 400, "at least 1"),
    "retired": (NEW | {"model": "gpt-4o"}, 400, "deploy gpt-5.1 instead"),
    "not offered": (NEW | {"model": "gpt-9"}, 400, "models list"),
    "over the quota": (NEW | {"capacity": 60}, 409, "50 of 300 left"),
    "there already": (NEW | {"name": "chat"}, 409, "already"),
}


async def test_what_cannot_be_created_is_refused(world: World, manager: ResourceManager) -> None:
    """Each is a problem of ours, nothing is sent, and the refusal is in the audit by its reason."""
    async with world.client(**world.bearer("Ada")) as http:
        for name, (body, status, said) in REFUSED.items():
            detail = problem(await http.post(f"{MAIN}/deployments", json=body), status)
            assert said in detail, name
        problem(await http.post("/api/admin/accounts/other/deployments", json=NEW), 404)
    events = [event for event in await acts(world, 1) if event.action.endswith(".refused")]

    assert manager.writes == []
    assert {event.decision for event in events} == {"refused"}
    assert [event.reason for event in events] == [
        "bad-request",
        "bad-request",
        "bad-request",
        "deployment-rejected",
        "deployment-rejected",
        "quota-insufficient",
        "management-conflict",
        "not-found",
    ]
    assert events[0].deployment == "unknown"


async def test_a_deployment_is_created_and_recorded(world: World, manager: ResourceManager) -> None:
    """202 with a place to ask; the audit says who, which deployment of what, and how it ended."""
    async with world.client(**world.bearer("Ada")) as http:
        begun = await http.post(f"{MAIN}/deployments", json=NEW)
        assert (begun.json()["state"], begun.json()["name"]) == ("under_way", "answers")
        manager.steps = ["Succeeded"]
        assert (await ended(http, begun))["state"] == "succeeded"
        found = (await http.get(f"{MAIN}/deployments/answers")).json()
        listed = (await http.get(f"{MAIN}/deployments")).json()["items"]
    asked, over = await acts(world, 2)
    facts = {"account": "main", "capacity": 20, "model": "gpt-5.1"}

    assert listed[0] == found
    assert found["version"] == "2025-11-13"
    assert (asked.action, asked.decision, asked.reason, asked.deployment, asked.facts) == (
        "deployment.create.asked",
        "allowed",
        "administrator",
        "answers",
        facts,
    )
    assert asked.principal == PrincipalId(world.settings.tenant_id, named("Ada").oid)
    assert (over.action, over.reason, over.principal, over.request_id) == (
        "deployment.create.ended",
        "succeeded",
        asked.principal,
        asked.request_id,
    )
    assert over.facts is not None
    assert over.facts.keys() == facts.keys() | {"seconds"}


async def test_an_operation_that_fails_says_why(world: World, manager: ResourceManager) -> None:
    """The place to ask answers 200 with the failure; the audit has it without its text."""
    error = {"code": "InsufficientQuota", "message": "secret"}
    manager.steps = [{"status": "Failed", "error": error}]
    async with world.client(**world.bearer("Ada")) as http:
        failed = await ended(http, await http.post(f"{MAIN}/deployments", json=NEW))
    (_, over) = await acts(world, 2)

    assert (failed["state"], "models quota" in failed["detail"]) == ("failed", True)
    assert "secret" not in str(failed)
    assert (over.decision, over.reason) == ("allowed", "failed")


async def test_a_deletion_needs_its_name_and_its_etag(
    world: World, manager: ResourceManager
) -> None:
    """Without both nothing is deleted; with both it is, and the audit says so."""
    path = f"{MAIN}/deployments/chat"
    async with world.client(**world.bearer("Ada")) as http:
        etag = {"If-Match": (await http.get(path)).headers["etag"]}
        problem(await http.delete(path), 400)
        problem(await http.delete(path, headers=etag), 400)
        problem(await http.delete(f"{path}?confirm=other", headers=etag), 400)
        problem(await http.delete(f"{path}?confirm=chat", headers={"If-Match": '"old"'}), 412)
        gone = f"{MAIN}/deployments/gone?confirm=gone"
        problem(await http.delete(gone, headers=etag), 404)
        assert manager.writes == []
        over = await ended(http, await http.delete(f"{path}?confirm=chat", headers=etag))
        assert over["state"] == "succeeded"
        problem(await http.get(path), 404)
    events = await acts(world, 10)

    assert manager.writes == [("DELETE", "chat")]
    assert [(event.action, event.reason) for event in events[-2:]] == [
        ("deployment.delete.asked", "administrator"),
        ("deployment.delete.ended", "succeeded"),
    ]


async def test_what_is_on_offer_is_shown(world: World, manager: ResourceManager) -> None:
    """Accounts, models with dates and their source, and quota; looking leaves no record."""
    async with world.client(**world.bearer("Ada")) as http:
        accounts = (await http.get("/api/admin/accounts")).json()["items"]
        models = (await http.get(f"{MAIN}/models")).json()["items"]
        quota = (await http.get(f"{MAIN}/quota")).json()["items"]

    assert accounts == [{"account": "main"}]
    assert {one["name"]: one["retires"] for one in models}["gpt-5.1"] == {
        "on": "2027-05-15",
        "source": "service",
        "instead": "gpt-5.5",
    }
    assert quota[1] == {
        "region": "swedencentral",
        "name": "OpenAI.DataZoneStandard.gpt-5.1",
        "used": 250.0,
        "limit": 300.0,
        "left": 50.0,
    }
    assert await acts(world, 0) == []


async def test_a_role_that_our_identity_lacks_is_named(
    world: World, manager: ResourceManager
) -> None:
    """It is no fault of whoever asked: 502, the role's name, and it is in the audit."""
    manager.answer("PUT", "answers", arm_error(403, "AuthorizationFailed"))
    async with world.client(**world.bearer("Ada")) as http:
        said = problem(await http.post(f"{MAIN}/deployments", json=NEW), 502)
    (_, over) = await acts(world, 2)

    assert "Secure OpenAI Deployment Manager" in said
    assert (over.action, over.decision, over.reason) == (
        "deployment.create.ended",
        "allowed",
        "role-missing",
    )


async def test_operations_that_are_none(world: World, manager: ResourceManager) -> None:
    """A made-up operation is a 404 like any other."""
    async with world.client(**world.bearer("Ada")) as http:
        for token in ("x", "W10", "a" * 20_000):
            problem(await http.get(f"/api/admin/operations/{token}"), 404)

    assert manager.seen == []


async def test_the_laptop_shows_its_model_and_changes_nothing(world: World) -> None:
    """Without Azure there is one account, whose deployments are the model server's."""
    local = "/api/admin/accounts/local"
    async with world.client(**world.bearer("Ada")) as http:
        (one,) = (await http.get(f"{local}/deployments")).json()["items"]
        assert (one["name"], one["state"]) == ("scripted", "Succeeded")
        assert (await http.get(f"{local}/quota")).json()["items"] == []
        assert [model["name"] for model in (await http.get(f"{local}/models")).json()["items"]] == [
            "scripted"
        ]
        said = problem(await http.post(f"{local}/deployments", json=NEW), 409)
        etag = {"If-Match": f'"{one["etag"]}"'}
        deletion = f"{local}/deployments/scripted?confirm=scripted"
        assert problem(await http.delete(deletion, headers=etag), 409) == said
    events = await acts(world, 4)

    assert "model server" in said
    assert [event.reason for event in events] == ["administrator", "not-managed"] * 2


async def test_what_cannot_be_recorded_is_not_done(
    world: World, manager: ResourceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the audit unwritable Azure is not even asked."""

    def broken(event: Any) -> None:
        raise AuditUnavailable("The last audit record could not be written. Try again later.")

    monkeypatch.setattr(world.assembly.audit, "append", broken)
    async with world.client(**world.bearer("Ada")) as http:
        problem(await http.post(f"{MAIN}/deployments", json=NEW), 503)

    assert manager.seen == []


async def test_who_leaves_does_not_stop_what_azure_has_heard(
    world: World, manager: ResourceManager
) -> None:
    """A request cancelled in the middle is followed and recorded to its end all the same."""
    deployments = world.assembly.deployments
    asking = asyncio.create_task(
        deployments.create(ADA, Wanted("main", "answers", "gpt-5.1"), request_id="r")
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert [event.reason for event in await acts(world, 2)] == ["administrator", "succeeded"]
    assert manager.writes == [("PUT", "answers")]


async def test_an_end_that_was_not_seen_is_recorded_as_such(
    world: World, manager: ResourceManager
) -> None:
    """A process that ends while Azure is at it leaves `unknown`, and the operation goes on."""
    manager.steps = ["Running"]
    deployments = Deployments(
        management=world.assembly.deployments.management, audit=world.assembly.audit
    )
    await deployments.create(ADA, Wanted("main", "answers", "gpt-5.1"), request_id="r")
    await asyncio.sleep(0.05)
    await deployments.aclose()

    assert [event.reason for event in await acts(world, 2)] == ["administrator", "unknown"]
    assert "answers" in manager.deployments


@pytest.mark.parametrize("managed", [True, False])
async def test_the_application_in_azure_manages_by_its_own_credential(
    managed: bool,
    tmp_path: Path,
    identity_folder: Path,
    tls: Tls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the accounts' ids Resource Manager is asked, by our way out; without, it is said."""
    commands = tmp_path / "bin"
    commands.mkdir()
    stand_in(commands, "az", json.dumps({"accessToken": TOKEN, "expires_on": 4102444800}))
    monkeypatch.setenv("PATH", f"{commands}:{os.defpath}")
    account = {
        "deployments": {"chat": "gpt-5.1"},
        "priority": 1,
        "url": "https://x.openai.azure.com/",
    }
    manager, bound = ResourceManager(url="https://management.azure.com"), listening()
    async with (
        served(manager.app(), bound, tls=tls),
        proxying(port_of(bound)) as proxy,
        running_world(
            tmp_path,
            identity_folder,
            model_source="azure",
            model_accounts=json.dumps({"main": account | ({"id": ACCOUNT_ID} if managed else {})}),
            proxy=proxy.url,
            ca_bundle=tls.ca,
        ) as world,
        world.client(**world.bearer("Ada")) as http,
    ):
        (key,) = (one["account"] for one in (await http.get("/api/admin/accounts")).json()["items"])
        path = f"/api/admin/accounts/{key}/deployments"
        names = [one["name"] for one in (await http.get(path)).json()["items"]]
        made = await http.post(path, json=NEW)

    assert names == ["chat"]
    if managed:
        assert (key, made.status_code) == ("main", 202)
        assert "management.azure.com:443" in proxy.asked
    else:
        assert "carry no id" in problem(made, 409)
        assert manager.seen == []


ADA = Principal(PrincipalId("tenant", "ada"), PrincipalKind.PERSON, frozenset({"admin"}))
