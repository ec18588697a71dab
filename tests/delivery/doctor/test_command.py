"""`secure-openai doctor` as it is typed, by a proxy and with a managed identity's tokens."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from typer.testing import CliRunner

from secure_openai.cli.main import app
from secure_openai.delivery.doctor.needs import Needs
from secure_openai.posture.estate import Estate
from secure_openai.testing.managed_identity import ManagedIdentity
from tests.delivery.subscription import Subscription
from tests.infra.estate import INFRA, environment
from tests.servers import listening, port_of, served
from tests.store.azure.tunnel import tunnel
from tests.system import environment as variables
from tests.tls import make_tls

pytestmark = pytest.mark.process

NAMES = ("management.azure.com", "graph.microsoft.com")


@dataclass
class Ground:
    """What the command finds around it.

    Attributes:
        subscription: Azure.
        settings: The environment that leads there.
    """

    subscription: Subscription
    settings: dict[str, str]

    async def invoked(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command in this process; return its exit code, its output and its errors."""
        runner = CliRunner(env=self.settings)
        ended = await asyncio.to_thread(runner.invoke, app, ["doctor", *arguments])
        return ended.exit_code, ended.stdout, ended.stderr

    async def typed(self, *arguments: str) -> tuple[int, str, str]:
        """Type the command; return its exit code, its output and its errors."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "secure_openai.cli", "doctor", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=variables(**self.settings),
        )
        async with asyncio.timeout(60):
            said, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode(), errors.decode()


@pytest.fixture
async def ground(tmp_path: Path, private_state: dict[str, Any]) -> AsyncIterator[Ground]:
    """Serve a healthy subscription under Azure's names."""
    tls = make_tls(tmp_path, *NAMES)
    subscription = Subscription.healthy(Needs.of(Estate.of(private_state), "infra"))
    identity = ManagedIdentity(RSAKey.generate_key(2048, {"kid": "identity"}))
    subscription.accepts = identity.accepts
    bound, endpoint = listening(), listening()
    async with (
        tunnel(dict.fromkeys(NAMES, port_of(bound))) as network,
        served(subscription.app(), bound, tls=tls),
        served(identity.app(), endpoint),
    ):
        yield Ground(
            subscription,
            {
                **identity.environment(f"http://127.0.0.1:{port_of(endpoint)}"),
                "SECURE_OPENAI_PROXY": network.url,
                "SECURE_OPENAI_CA_BUNDLE": str(tls.ca),
                "NO_COLOR": "1",
            },
        )


async def test_a_folder_by_its_variables(ground: Ground) -> None:
    """Nothing is typed twice: names, regions and the subscription come from the configuration."""
    code, said, errors = await ground.typed(str(INFRA), "--var-file", str(environment("private")))

    assert (code, errors) == (0, "")
    assert "in the subscription 00000000-0000-0000-0000-000000000000" in said
    assert "✓ model        chat of oai-chat-main-" in said
    assert "0 findings" in said
    # What is drawn when it is applied is asked of nobody.
    assert not [path for _, path in ground.subscription.seen if "vailability" in path]


async def test_a_state_for_programs(
    ground: Ground, tmp_path: Path, private_state: dict[str, Any]
) -> None:
    """JSON carries every answer; a name that is taken is exit code 1, with what mends it."""
    state = tmp_path / "state.json"
    state.write_text(json.dumps(private_state))
    vault = next(
        one.name
        for one in Needs.of(Estate.of(private_state), "").names
        if one.name.startswith("kv-")
    )
    ground.subscription.taken.add(vault)
    code, said, _ = await ground.invoked(str(state), "--format", "json")
    document = json.loads(said)
    (finding,) = [one for one in document["answers"] if one["outcome"] == "finding"]

    assert code == 1
    assert (document["version"], document["findings"]) == (1, 1)
    assert (finding["check"], finding["subject"]) == ("name", vault)
    assert finding["mend"].startswith("prefix")


async def test_another_subscription_than_the_variables_name(
    ground: Ground, tmp_path: Path, private_state: dict[str, Any]
) -> None:
    """It is asked about, and the difference is told."""
    state = tmp_path / "state.json"
    state.write_text(json.dumps(private_state))
    other = "22222222-2222-4222-8222-222222222222"
    ground.subscription.id = other
    code, said, _ = await ground.invoked(str(state), "--subscription", other.upper())

    assert code == 1
    assert f"and {other} was asked for" in " ".join(said.split())
    assert f'subscription_id = "{other}"' in said


async def test_what_cannot_be_run(ground: Ground) -> None:
    """One sentence, exit code 2, and nobody is asked."""
    for arguments, says in (
        (("nowhere",), "nowhere cannot be read"),
        (("--subscription", "mine"), "--subscription is a GUID"),
        (("--tenant", "mine"), "--tenant is a GUID"),
    ):
        code, _, errors = await ground.invoked(*arguments)
        assert (code, says in errors, "Traceback" in errors) == (2, True, False), errors
    assert ground.subscription.seen == []
