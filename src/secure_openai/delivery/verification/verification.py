"""Everything looked at, from outside or from inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.delivery.verification import (
    assumptions,
    doors,
    inside,
    outside,
    vault_keys,
    work,
)
from secure_openai.delivery.verification.calls import Caller, bearer_for
from secure_openai.delivery.verification.observation import Observation
from secure_openai.delivery.verification.places import Place
from secure_openai.environment import is_loopback
from secure_openai.posture.assumptions import Assumption
from secure_openai.probes.probe import Answer, Bearer

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Target:
    """What is verified.

    Attributes:
        url: The application's origin.
        places: Every name of the estate.
        routes: The application's routes with who may call them.
        key_urls: The keys of seals and of evidence, as far as the settings name them.
        vault_scope: Scope of tokens for its vault.
        elsewhere: Scope of a token that is good at none of the places.
        assumed: What a proof took for granted.
        groups: Ids of the estate's resource groups, where a state names them.
        ids: Every id that it names, as ids are compared.
        token: A person's access token; `""` for none.
    """

    url: str
    places: tuple[Place, ...] = ()
    routes: dict[str, list[str]] = field(default_factory=dict)
    key_urls: tuple[str, ...] = ()
    vault_scope: str = ""
    elsewhere: str = ""
    assumed: tuple[Assumption, ...] = ()
    groups: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    token: str = field(default="", repr=False)

    @property
    def every_place(self) -> tuple[Place, ...]:
        """Return the places, and the address that people type, where it is another one."""
        host = urlsplit(self.url).hostname or ""
        if is_loopback(self.url) or any(one.host == host for one in self.places):
            return self.places
        return (Place("application", f"{self.url}/"), *self.places)


async def from_outside(
    target: Target, caller: Caller, bearer: Bearer | None, progress: Progress
) -> list[Observation]:
    """Return what somebody outside sees."""
    progress(f"Knocking at {len(target.every_place)} names …")
    return await outside.looked_at(target.every_place, caller, bearer)


async def from_inside(
    target: Target,
    caller: Caller,
    bearer: Bearer | None,
    progress: Progress,
    *,
    answers: Sequence[Answer] = (),
    manager: ResourceManager | None = None,
) -> list[Observation]:
    """Return what somebody inside sees.

    Args:
        target: What.
        caller: How.
        bearer: Our credential.
        progress: Told what goes on.
        answers: What each service told our own credential (`check --live`), where it was asked.
        manager: Resource Manager, for what was assumed of Azure.
    """
    progress(f"Looking at {len(target.every_place)} names …")
    foreign = await bearer_for(target.elsewhere, bearer)
    found = await inside.looked_at(target.every_place, caller, foreign)
    found += inside.of_answers(answers, found)
    for url in target.key_urls:
        found.append(await vault_keys.looked_at(url, target.vault_scope, caller, bearer))
    progress(f"Knocking at {len(target.routes)} routes …")
    found += await doors.looked_at(target.url, caller, foreign, target.routes)
    progress("Asking for a chat …")
    found.append(await work.ready(target.url, caller))
    found.append(await work.chat(target.url, caller, target.token))
    progress("Looking at what was assumed …")
    found += await assumptions.looked_at(target.assumed, found, manager, target.ids)
    found += await assumptions.only_after(found, target.groups, manager)
    return found
