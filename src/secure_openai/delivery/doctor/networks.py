"""Address space: whether another network has it, so that the two could never be joined.

Source: Azure Virtual Network, "Create, change or delete a virtual network peering", requirements.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from secure_openai.delivery.doctor.answer import Answer, Check, Outcome, Question
from secure_openai.delivery.doctor.needs import AddressSpace, Needs, prefixes_of
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.posture.estate import fold
from secure_openai.types import JsonObject

VERSION: Final = "2024-05-01"


def questions(needs: Needs, subscription: str) -> Iterator[Question]:
    """Yield what to ask."""
    at = f"/subscriptions/{subscription}"
    for one in needs.networks:
        yield Question(Check.NETWORK, one.name, partial(_overlapping, at, one, needs.peers))
        for peer in sorted(needs.peers):
            if not peer.startswith(f"{at}/"):
                yield Question(Check.NETWORK, one.name, partial(_overlaps_peer, one, peer))


async def _overlapping(
    at: str, wanted: AddressSpace, peers: frozenset[str], manager: ResourceManager
) -> tuple[Answer, ...]:
    path = f"{at}/providers/Microsoft.Network/virtualNetworks"
    found = await manager.every(path, VERSION)
    answers = [_judged(wanted, one, peers) for one in found]
    return tuple(one for one in answers if one) or (_fine(wanted, len(found)),)


async def _overlaps_peer(
    wanted: AddressSpace, peer: str, manager: ResourceManager
) -> tuple[Answer, ...]:
    found = _judged(wanted, await manager.one(peer, VERSION), frozenset({peer}))
    return (found or _fine(wanted, 1),)


def _fine(wanted: AddressSpace, count: int) -> Answer:
    ranges = ", ".join(map(str, wanted.prefixes))
    says = f"{ranges} overlaps none of {count} networks that were looked at"
    return Answer(Check.NETWORK, wanted.name, Outcome.FINE, says)


def _judged(wanted: AddressSpace, other: JsonObject, peers: frozenset[str]) -> Answer | None:
    identifier = str(other.get("id", ""))
    if fold(identifier) == fold(wanted.id):
        return None
    space = (other.get("properties") or {}).get("addressSpace") or {}
    theirs = prefixes_of(space.get("addressPrefixes") or ())
    for ours in wanted.prefixes:
        for one in theirs:
            if ours.version == one.version and ours.overlaps(one):
                peered = fold(identifier) in peers
                why = (
                    "and is to be peered with it" if peered else "and could never be peered with it"
                )
                return Answer(
                    Check.NETWORK,
                    wanted.name,
                    Outcome.FINDING,
                    f"{ours} overlaps {one} of {identifier}, and {why}",
                    'network = { address_space = "…" }  # a range that nobody uses',
                )
    return None
