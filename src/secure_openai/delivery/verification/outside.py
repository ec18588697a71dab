"""From outside: nothing answers, at any name that the estate has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from secure_openai.delivery.verification.calls import Caller, Reply, all_private, bearer_for
from secure_openai.delivery.verification.handshakes import older
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.delivery.verification.places import Place
from secure_openai.delivery.verification.strangers import carried
from secure_openai.probes.probe import Bearer
from secure_openai.probes.probe import Outcome as Ended
from secure_openai.probes.refusals import by_network
from secure_openai.types import JsonObject

PROXIED: Final = (
    "a proxy stands between, and what it does not reach, others may: verify where there is none, "
    "or name the domain in SECURE_OPENAI_PROXY_DIRECT"
)


async def looked_at(
    places: Iterable[Place], caller: Caller, bearer: Bearer | None
) -> list[Observation]:
    """Return what each place shows to whoever comes from outside."""
    ours = (one for one in places if not one.shared)
    found = await asyncio.gather(*(_seen(one, caller, bearer) for one in ours))
    return [one for each in found for one in each]


async def _seen(place: Place, caller: Caller, bearer: Bearer | None) -> list[Observation]:
    """Return whether a place is closed, and where something answers by which TLS it does."""
    closed = await _closed(place, caller, bearer)
    spoken = closed.facts.get("tls")
    if not spoken:
        return [closed]
    over = Observation(Check.TLS, place.host, Outcome.HOLDS, str(spoken), {"version": spoken})
    return [closed, await older(place, caller, over)]


async def _closed(place: Place, caller: Caller, bearer: Bearer | None) -> Observation:
    subject = f"{place.service}, {place.host}"
    addresses: tuple[str, ...] = ()
    if not caller.by_proxy(place.url):
        addresses = await caller.addresses(place.url)
        if not addresses:
            says = "its name has no address here"
            facts: JsonObject = {"host": place.host, "tls": ""}
            return Observation(Check.CLOSED, subject, Outcome.HOLDS, says, facts)
    headers = dict(place.headers)
    # Some services ask for a token before their network refuses.
    token = await bearer_for(place.scope, bearer)
    if token:
        headers |= carried(place, token)
    reply = await caller.call(place.url, headers=headers)
    facts = {
        "host": place.host,
        "addresses": list(addresses),
        "status": reply.status,
        "tls": reply.tls,
        "with_token": bool(token),
    }
    outcome, says = _judged(place, reply, addresses, token=bool(token))
    return Observation(Check.CLOSED, subject, outcome, says, facts)


def _judged(
    place: Place, reply: Reply, addresses: tuple[str, ...], *, token: bool
) -> tuple[Outcome, str]:
    at = f"at {', '.join(addresses)}" if addresses else "by the proxy"
    if reply.outcome is Ended.UNTRUSTED:
        return Outcome.FINDING, f"something answers {at}, and {reply.says}"
    if not reply.status:
        return (Outcome.HOLDS, f"nobody answers {at}") if addresses else (Outcome.UNSEEN, PROXIED)
    if all_private(addresses):
        return Outcome.FINDING, (
            f"it answers {at}: this machine is inside, or what is private is reached from outside "
            "(from inside say --inside)"
        )
    if reply.status == HTTPStatus.FORBIDDEN and by_network(reply.code, reply.text):
        return Outcome.HOLDS, f"its network refuses {at}, whoever comes"
    unsigned = place.scope and not token
    if unsigned and reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Outcome.UNSEEN, (
            f"it asks for a token before its network would refuse (it answers {reply.status}): "
            "sign in with az login and verify again"
        )
    return Outcome.FINDING, f"it answers {reply.status} {at} to whoever comes: its door is open"
