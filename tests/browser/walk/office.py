"""An office that administers: books, a pool with one member out, what manages it, a notice.

All of it in one process, so that a step sees what is stored, and runs a job when it wants to.
"""

from __future__ import annotations

import asyncio
import stat
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch
from urllib.parse import urlsplit

from secure_openai.errors import ModelThrottled
from secure_openai.jobs.catalogue import JOBS
from secure_openai.local.identity_provider.directory import TENANT_ID
from secure_openai.local.identity_provider.signing_keys import FILE_NAME
from secure_openai.model.interface import ModelRequest, ModelResponse
from secure_openai.model.pool import Member, Pool
from secure_openai.model.scripted import ScriptedModel
from secure_openai.testing.person import named, sign_in
from secure_openai.types import Principal, PrincipalId, PrincipalKind
from tests.browser.ledger import keep_books
from tests.edge.desk.test_figures import ask
from tests.model.management.resource_manager import ResourceManager
from tests.model.management.running import azure, running_manager
from tests.system import Place
from tests.tls import Tls
from tests.world import World, running_world

T = TypeVar("T")

APPEARANCE = """version = 1
name = "Contoso Assistant"
logo = "logo.svg"
welcome = "Ask about anything but customers."

[colours]
light = "#0b6a4f"
dark = "#5fd3ae"

[notice]
title = "Before you begin"
text = "Answers may be **wrong**."

[[suggestions]]
title = "Minutes"
text = "Write minutes of: "

[[prompts]]
name = "House style"
text = "Put this into our house style: "

[[links]]
text = "House rules"
url = "https://contoso.example/rules"
"""
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">'
    '<path fill="#0b6a4f" d="M0 0h8v8z"/></svg>'
)
PRICES = "\n[prices.deployment.scripted]\nprompt = 1.25\ncompletion = 10.0\n"


class Out(ScriptedModel):
    """A member that Azure throttles."""

    async def open(self, request: ModelRequest) -> ModelResponse:
        """Refuse, for longer than anybody walks."""
        raise ModelThrottled(retry_after=3_600)


@dataclass(frozen=True)
class Office(Place):
    """Where an administrator works.

    Attributes:
        world: What runs.
        manager: What manages deployments.
        policy: The file.
        loop: Where all of it runs.
    """

    world: World
    manager: ResourceManager
    policy: Path
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something where everything runs, and return what comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def principal(self, name: str) -> PrincipalId:
        """Return a demo person."""
        return PrincipalId(self.world.settings.tenant_id, named(name).oid)

    def come_in(self, name: str) -> None:
        """Have a demo person sign in elsewhere."""

        async def signed_in() -> None:
            async with self.world.client(**self.world.own) as http:
                assert (await sign_in(http, self.url, name)).status_code == 200

        self.run(signed_in())

    def sessions(self, name: str) -> int:
        """Return how many sessions a demo person has."""
        return len(self.run(self.world.assembly.sessions.of(self.principal(name))))

    def holds(self) -> list[str]:
        """Return the references of what is held."""
        return [one.reference for one in self.run(self.world.assembly.holds.all())]

    def hold(self, name: str, reference: str) -> None:
        """Hold everything of a demo person, as Ada does elsewhere."""
        self._held(name, "PUT", {"reference": reference})

    def lift(self, name: str) -> None:
        """Lift that hold, as Ada does elsewhere."""
        self._held(name, "DELETE", None)

    def _held(self, name: str, method: str, body: dict[str, str] | None) -> None:
        path = f"/api/admin/principals/{self.principal(name).key}/hold"

        async def done() -> int:
            async with self.world.client(**self.world.bearer("Ada"), **self.world.own) as http:
                return (await http.request(method, path, json=body)).status_code

        assert self.run(done()) in {200, 204}

    def carry_out(self) -> None:
        """Run the job that makes exports and erases."""
        self.run(JOBS["erasure"].run(self.world.assembly))

    def acts(self) -> Counter[str]:
        """Return how often each action is recorded."""
        return Counter(event.action for event in self.run(self.world.events()))

    @contextmanager
    def recorded(self, **acts: int) -> Iterator[None]:
        """Expect that actions are recorded so often meanwhile; `__` stands for a dot."""
        before = self.acts()
        yield
        after = self.acts() - before
        expected = {name.replace("__", "."): count for name, count in acts.items()}
        assert {name: after[name] for name in expected} == expected


@asynccontextmanager
async def office_in(folder: Path, signing_keys: bytes, tls: Tls) -> AsyncIterator[Office]:
    """Run an office until the block is left."""
    identity = folder / "identity"
    identity.mkdir(mode=stat.S_IRWXU)
    (identity / FILE_NAME).write_bytes(signing_keys)
    (identity / FILE_NAME).chmod(stat.S_IRUSR | stat.S_IWUSR)
    shipped = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    policy, appearance = folder / "policy.toml", folder / "appearance.toml"
    # Of so much a day two of those in the books have used more than half.
    fewer = shipped.replace("tokens_per_day = 1_000_000", "tokens_per_day = 50_000")
    policy.write_text(fewer + PRICES)
    appearance.write_text(APPEARANCE)
    (folder / "logo.svg").write_text(LOGO)
    uma = named("Uma")
    used = PrincipalId(TENANT_ID, uma.oid)
    roles = frozenset(uma.roles)
    await keep_books(
        folder / "data", Principal(used, PrincipalKind.PERSON, roles, uma.name, uma.username)
    )
    pool = Pool([Member("sweden", 0, Out()), Member("norway", 1, ScriptedModel())])
    with (
        # A pool needs accounts in Azure.
        patch("secure_openai.assembly.model_of", lambda *_, **__: pool),
        # Whoever was erased is a stranger at once, and an operation is asked about at once.
        patch("secure_openai.acceptances.REMEMBERED_SECONDS", 0.0),
        patch("secure_openai.presence.INTERVAL", timedelta()),
        patch("secure_openai.model.management.operations.LEAST_PAUSE_SECONDS", 0.001),
    ):
        async with (
            running_manager(tls) as manager,
            running_world(
                folder, identity, policy=policy, appearance=appearance, resume_grace_seconds=1
            ) as world,
        ):
            management = azure(manager.url, tls.ca)
            world.assembly.deployments.management = management
            parts = urlsplit(world.provider.issuer)
            issuer = f"{parts.scheme}://{parts.netloc}"
            office = Office(world.url, issuer, world, manager, policy, asyncio.get_running_loop())
            digest = world.assembly.appearance.notice_digest
            assert digest is not None
            await world.assembly.acceptances.accept(office.principal("Ada"), digest)
            async with world.client(**world.bearer("Ada")) as http:
                # Whoever is asked in vain is out from then on.
                assert await ask(http) == 200
            try:
                yield office
            finally:
                await world.assembly.deployments.aclose()
                await management.aclose()
