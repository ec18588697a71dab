"""From inside: names lead to private addresses, over TLS, and nobody comes in who should not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from secure_openai.delivery.verification.calls import Caller, Reply, all_private
from secure_openai.delivery.verification.handshakes import older
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.delivery.verification.places import Place
from secure_openai.delivery.verification.strangers import Stranger, strangers_of
from secure_openai.probes.probe import Answer
from secure_openai.probes.probe import Outcome as Ended
from secure_openai.probes.refusals import by_network

VERSIONS: Final = frozenset({"TLSv1.2", "TLSv1.3"})
REFUSALS: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        # Azure Storage to nobody: PublicAccessNotPermitted.
        HTTPStatus.CONFLICT,
    }
)
"""How a service says that it does not take a credential."""


async def looked_at(places: Iterable[Place], caller: Caller, foreign: str) -> list[Observation]:
    """Return what each place that is to be entered shows from inside.

    Args:
        places: Where to look.
        caller: How.
        foreign: Our token that is good at none of the places; `""` where none was had.
    """
    found = await asyncio.gather(*(_place(one, caller, foreign) for one in places if one.entered))
    return [one for each in found for one in each]


async def _place(place: Place, caller: Caller, foreign: str) -> list[Observation]:
    named = await _name(place, caller)
    if named.outcome is Outcome.FINDING:
        # Nothing is sent to an address that is not the estate's own.
        return [named]
    reply = await caller.call(place.url, headers=place.headers)
    over = _tls(place, reply)
    if over.outcome is Outcome.HOLDS:
        over = await older(place, caller, over)
    found = [named, over]
    if place.scope and over.outcome is Outcome.HOLDS:
        found.append(await _strangers(place, caller, foreign, reply))
    return found


async def _name(place: Place, caller: Caller) -> Observation:
    if caller.by_proxy(place.url):
        return Observation(
            Check.NAME,
            place.host,
            Outcome.UNSEEN,
            "a proxy resolves it: name it, or its domain, in SECURE_OPENAI_PROXY_DIRECT",
        )
    addresses = await caller.addresses(place.url)
    facts = {"addresses": list(addresses), "zone": place.zone}
    if all_private(addresses):
        says = f"it resolves to {', '.join(addresses)}, which is private"
        return Observation(Check.NAME, place.host, Outcome.HOLDS, says, facts)
    link = f": this network needs a link to the private DNS zone {place.zone}" if place.zone else ""
    if not addresses:
        says = f"it resolves to nothing{link}"
        return Observation(Check.NAME, place.host, Outcome.FINDING, says, facts)
    public = f"it resolves to {', '.join(addresses)}, which is public"
    says = f"{public}, so nothing was sent there{link}"
    return Observation(Check.NAME, place.host, Outcome.FINDING, says, facts)


def _tls(place: Place, reply: Reply) -> Observation:
    facts = {"version": reply.tls, "ends": reply.ends}
    if reply.outcome is Ended.UNTRUSTED:
        return Observation(Check.TLS, place.host, Outcome.FINDING, reply.says, facts)
    if not reply.status:
        return Observation(Check.TLS, place.host, Outcome.FINDING, reply.says, facts)
    if reply.tls not in VERSIONS:
        says = f"it speaks {reply.tls or 'no TLS'}: TLS 1.2 is the least"
        return Observation(Check.TLS, place.host, Outcome.FINDING, says, facts)
    says = f"{reply.tls}, and the certificate is this name's, of a trusted authority"
    return Observation(Check.TLS, place.host, Outcome.HOLDS, says, facts)


async def _strangers(place: Place, caller: Caller, foreign: str, anonymous: Reply) -> Observation:
    """Return whether a service refuses everyone who is not let in."""
    known = list(strangers_of(place, foreign))
    replies = [
        anonymous,
        *await asyncio.gather(*(_as(place, caller, one) for one in known[1:])),
    ]
    statuses = {one.name: reply.status for one, reply in zip(known, replies, strict=True)}
    subject = f"{place.service}, {place.host}"
    taken = [name for name, status in statuses.items() if _taken(status)]
    if taken:
        says = f"it takes {', '.join(taken)}, and should refuse everyone who is not let in"
        return Observation(Check.STRANGER, subject, Outcome.FINDING, says, statuses)
    odd = [name for name, status in statuses.items() if status not in REFUSALS]
    if odd:
        says = f"it did not say what it thinks of {', '.join(odd)}"
        return Observation(Check.STRANGER, subject, Outcome.UNSEEN, says, statuses)
    if any(by_network(one.code, one.text) for one in replies):
        says = "its network refuses, whoever comes: it is not reached by its private endpoint"
        return Observation(Check.STRANGER, subject, Outcome.FINDING, says, statuses)
    if not foreign:
        says = (
            f"it refuses {', '.join(statuses)}; a token for another audience was not to be had: "
            "sign in with az login"
        )
        return Observation(Check.STRANGER, subject, Outcome.UNSEEN, says, statuses)
    says = f"it refuses {', '.join(statuses)}"
    return Observation(Check.STRANGER, subject, Outcome.HOLDS, says, statuses)


async def _as(place: Place, caller: Caller, stranger: Stranger) -> Reply:
    return await caller.call(place.url, headers={**place.headers, **stranger.headers})


def _taken(status: int) -> bool:
    """Return whether somebody came in: what is not there is told to who may look only."""
    return 0 < status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.NOT_FOUND


def of_answers(answers: Iterable[Answer], found: Iterable[Observation]) -> list[Observation]:
    """Return what our own credential was told (`check --live`), as observations.

    Args:
        answers: What was told.
        found: What was seen before: of a name that leads nowhere, or to nobody, that is told once.
    """
    told = {
        one.subject
        for one in found
        if one.check in {Check.NAME, Check.TLS} and one.outcome is Outcome.FINDING
    }
    return [
        Observation(
            Check.OWN,
            f"{one.ask.service}, {one.ask.host}",
            Outcome.HOLDS if one.outcome is Ended.GOOD else Outcome.FINDING,
            one.says or f"it is let in as {one.ask.role or 'anybody'}",
            {"role": one.ask.role, "outcome": one.outcome.value},
        )
        for one in answers
        if one.ask.host not in told
    ]
