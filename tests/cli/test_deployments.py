"""`secure-openai models` and `deployments` as someone types them, by their own sign-in with az."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secure_openai.local.folder import Folder
from tests.azure_cli import stand_in
from tests.model.management.resource_manager import (
    ACCOUNT_ID,
    TOKEN,
    ResourceManager,
    arm_error,
)
from tests.servers import listening, port_of, served
from tests.system import environment
from tests.tls import Tls, proxying

pytestmark = pytest.mark.process

MAIN = {
    "id": ACCOUNT_ID,
    "url": "https://x.openai.azure.com/",
    "priority": 1,
    "deployments": {"chat": "gpt-5.1"},
}
AZ = json.dumps({"accessToken": TOKEN, "expires_on": 4102444800, "tokenType": "Bearer"})


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Desk:
    """A person's machine: signed in with az, and a network that leads to Resource Manager."""

    manager: ResourceManager
    env: dict[str, str]

    async def start(
        self,
        *arguments: str,
        stdin: int = asyncio.subprocess.DEVNULL,
        extra: dict[str, str] | None = None,
    ) -> asyncio.subprocess.Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "secure_openai.cli", *arguments),
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.env | (extra or {}),
        )

    async def type(self, *arguments: str, **extra: str) -> Ended:
        """Run a command to its end."""
        return await end_of(await self.start(*arguments, extra=extra))

    async def answer(self, typed: str, *arguments: str) -> Ended:
        """Run a command in a terminal, and type something when it asks."""
        ours, theirs = os.openpty()
        try:
            os.write(ours, f"{typed}\n".encode())
            return await end_of(await self.start(*arguments, stdin=theirs))
        finally:
            os.close(ours)
            os.close(theirs)


async def end_of(process: asyncio.subprocess.Process) -> Ended:
    """Wait for a command's end."""
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def desk(tmp_path: Path, tls: Tls) -> AsyncIterator[Desk]:
    """Signed in, with one account."""
    commands = tmp_path / "bin"
    commands.mkdir()
    stand_in(commands, "az", AZ)
    manager, bound = ResourceManager(url="https://management.azure.com"), listening()
    async with served(manager.app(), bound, tls=tls), proxying(port_of(bound)) as proxy:
        yield Desk(
            manager,
            environment(
                COLUMNS="200",
                NO_COLOR="1",
                PATH=f"{commands}:{os.environ['PATH']}",
                SECURE_OPENAI_CA_BUNDLE=str(tls.ca),
                SECURE_OPENAI_MODEL_ACCOUNTS=json.dumps({"main": MAIN}),
                SECURE_OPENAI_PROXY=proxy.url,
            ),
        )


async def test_what_is_on_offer_is_shown(desk: Desk) -> None:
    """Models with their dates and who says so, and quota; for people and as JSON."""
    shown = await desk.type("models", "list", "--model", "gpt-5.")
    quota = await desk.type("models", "quota", "--model", "gpt")
    as_json = await desk.type("models", "list", "--json", "--model", "gpt-5.1")
    rows = {line.split()[1]: line for line in shown.out.splitlines() if " main " in line}

    assert (shown.code, quota.code, as_json.code) == (0, 0, 0), shown.err
    assert "2025-11-13 *" in rows["gpt-5.1"]
    assert "2027-05-15" in rows["gpt-5.1"]
    assert "gpt-5.5" in rows["gpt-5.1"]
    assert "2027-03-18 (table)" in rows["gpt-5.4-mini"]
    assert "gpt-4o" not in shown.out
    assert quota.out.splitlines()[1].split() == [
        *("swedencentral", "OpenAI.DataZoneStandard.gpt-5.1", "250", "300", "50"),
    ]
    (model,) = json.loads(as_json.out)
    assert (model["account"], model["retires"]["source"]) == ("main", "service")


async def test_what_retires_is_looked_at_on_a_laptop(desk: Desk, tmp_path: Path) -> None:
    """On the folder of `up --azure` the job looks at the accounts, by the person's own sign-in."""
    folder = Folder(tmp_path / "data")
    folder.prepare()
    place = ("--data", str(folder.path))
    ended = await desk.type(
        "jobs", "run", "retirement", *place, SECURE_OPENAI_RETIREMENT_DAYS="36500"
    )
    sealed = await desk.type("jobs", "run", "seal", *place, PATH="")
    shown = await desk.type("audit", "show", *place)

    assert ended.code == 0, ended.err
    assert "chat in main is gpt-5.1 2025-11-13, which retires on 2027-05-15" in ended.err
    assert {"retiring: 1", "recorded: 1", "unread: 0"} <= set(ended.out.splitlines())
    assert sealed.code == 0, sealed.err
    assert "deployment.retires" in shown.out


async def test_a_deployment_is_created_shown_and_deleted(desk: Desk) -> None:
    """Each step says what it did; a deletion asks, and scripts say --yes."""
    made = await desk.type("deployments", "create", "answers", "--model", "gpt-5.1")
    listed = await desk.type("deployments", "list")
    shown = await desk.type("deployments", "show", "answers", "--json")
    asked = await desk.type("deployments", "delete", "answers")
    deleted = await desk.type("deployments", "delete", "answers", "--yes")

    assert (made.code, made.out.strip()) == (0, "✓ answers is created."), made.err
    assert "Creating answers …" in made.err
    assert [line.split()[1] for line in listed.out.splitlines()[1:]] == ["answers", "chat"]
    assert json.loads(shown.out)["content_filter"] == "secure-openai"
    assert asked.code == 2
    assert "add --yes in scripts" in asked.err
    assert "gpt-5.1" in asked.err
    assert (deleted.code, deleted.out.strip()) == (0, "✓ answers is deleted."), deleted.err
    assert desk.manager.writes == [("PUT", "answers"), ("DELETE", "answers")]


async def test_a_deletion_is_confirmed_by_typing_the_name(desk: Desk) -> None:
    """Any other answer deletes nothing; the name does."""
    kept = await desk.answer("yes", "deployments", "delete", "chat")
    assert (kept.code, "Nothing was deleted" in kept.err) == (1, True)
    assert desk.manager.writes == []
    gone = await desk.answer("chat", "deployments", "delete", "chat")

    assert (gone.code, gone.out.strip()) == (0, "✓ chat is deleted."), gone.err
    assert desk.manager.deployments == {}


async def test_an_operation_may_be_left_and_found_again(desk: Desk) -> None:
    """With --no-wait, and by Ctrl-C, Azure goes on; `wait` sees the end."""
    desk.manager.way = "resource"
    left = await desk.type("deployments", "create", "one", "--model", "gpt-5.1", "--no-wait")
    process = await desk.start("deployments", "create", "two", "--model", "gpt-5.1")
    assert process.stderr is not None
    assert b"Creating two" in await process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, said = await asyncio.wait_for(process.communicate(), 60)
    desk.manager.finish()
    found = [await desk.type("deployments", "wait", name) for name in ("one", "two")]
    gone = await desk.type("deployments", "wait", "never", "--deletion", "--json")

    assert (left.code, "deployments wait one" in left.out) == (0, True)
    assert process.returncode == 130
    assert b"deployments wait two" in said
    assert b"Traceback" not in said
    assert [one.out.strip() for one in found] == ["✓ one is created.", "✓ two is created."]
    assert json.loads(gone.out)["state"] == "succeeded"


async def test_what_is_refused_is_one_sentence(desk: Desk) -> None:
    """Exit code 2 where it could not be asked for, 1 where Azure failed; never a traceback."""
    desk.manager.steps = [{"status": "Failed", "error": {"code": "InsufficientQuota"}}]
    failed = await desk.type("deployments", "create", "answers", "--model", "gpt-5.1")
    retired = await desk.type("deployments", "create", "x", "--model", "gpt-4o", "--capacity", "1")
    stranger = await desk.type("deployments", "show", "nothing")
    other = await desk.type("models", "list", "--account", "other")
    desk.manager.answer("GET", "deployments", arm_error(403, "AuthorizationFailed"))
    role = await desk.type("deployments", "list")
    bare = json.dumps({"main": {key: value for key, value in MAIN.items() if key != "id"}})
    nobody = await desk.type("models", "list", SECURE_OPENAI_MODEL_ACCOUNTS=bare)
    wrong = await desk.type("models", "list", SECURE_OPENAI_MODEL_ACCOUNTS='{"main": {}}')
    several = json.dumps({"a": MAIN, "b": MAIN})
    which = await desk.type("deployments", "show", "chat", SECURE_OPENAI_MODEL_ACCOUNTS=several)

    assert (failed.code, "models quota" in failed.err) == (1, True)
    assert (retired.code, "deploy gpt-5.1 instead" in retired.err) == (2, True)
    assert (stranger.code, "no deployment nothing" in stranger.err) == (2, True)
    assert (other.code, "write one of main" in other.err) == (2, True)
    assert (role.code, "Secure OpenAI Deployment Manager" in role.err) == (2, True)
    assert (nobody.code, "no account has the id" in nobody.err) == (2, True)
    assert (wrong.code, "MODEL_ACCOUNTS: main has no url" in wrong.err) == (2, True)
    assert (which.code, "--account: one of a, b" in which.err) == (2, True)
    for ended in (failed, retired, stranger, other, role, nobody, wrong, which):
        assert "Traceback" not in ended.err


async def test_who_is_not_signed_in_is_told(desk: Desk, tmp_path: Path) -> None:
    """Without az and azd the sentence says how to sign in."""
    (tmp_path / "none").mkdir()
    ended = await desk.type("deployments", "list", PATH=str(tmp_path / "none"))

    assert (ended.code, "az login" in ended.err) == (2, True)
    assert "Traceback" not in ended.err


async def test_without_anything_to_manage_it_is_said(tmp_path: Path) -> None:
    """Neither accounts nor a running system: one sentence names both ways."""
    bare = Desk(ResourceManager(), environment(COLUMNS="200", NO_COLOR="1"))
    ended = await bare.type("models", "list", "--data", str(tmp_path))

    assert ended.code == 2
    assert "SECURE_OPENAI_MODEL_ACCOUNTS" in ended.err
    assert "secure-openai up" in ended.err
