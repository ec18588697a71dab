"""Handshakes that nobody should agree to: TLS that is too old, and suites that protect too little.

Python's TLS no longer offers most of these, so the first message is written here, and the answer's
first bytes are read: whoever answers with a ServerHello has agreed. Nothing else is sent.

Source: RFC 8996 (TLS 1.0 and 1.1 are not to be used); RFC 9325, 4.1 (suites that are not); RFC
5246, 7.4.1 and appendix A.5 (messages and numbers).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from struct import pack
from typing import Final
from urllib.parse import urlsplit

from secure_openai.delivery.verification.calls import Caller, Unreached
from secure_openai.delivery.verification.observation import Observation, Outcome
from secure_openai.delivery.verification.places import Place

SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered, and nothing better.

    Attributes:
        name: What it is, for people.
        version: The newest version.
        suites: Numbers of the suites.
    """

    name: str
    version: int
    suites: tuple[int, ...]


_RSA: Final = (0x002F, 0x0035, 0x003C, 0x003D, 0x009C, 0x009D)
OLD: Final = Offer(
    "TLS 1.1 or older",
    0x0302,
    (0xC013, 0xC014, 0xC009, 0xC00A, 0x0033, 0x0039, *_RSA, 0x000A, 0x0005, 0x0004),
)
WEAK: Final = Offer(
    "a suite that protects too little",
    0x0303,
    (
        *(0x0001, 0x0002, 0x003B, 0xC001, 0xC006, 0xC00B, 0xC010),  # no encryption
        *(0x0018, 0x001B, 0x0034, 0x003A, 0x006C, 0x006D, 0x00A6, 0x00A7),  # nobody's certificate
        *(0xC015, 0xC016, 0xC017, 0xC018, 0xC019),  # the same, on curves
        *(0x0004, 0x0005, 0xC002, 0xC007, 0xC00C, 0xC011),  # RC4 (RFC 7465)
        *(0x0003, 0x0006, 0x0008, 0x000B, 0x000E, 0x0011, 0x0014, 0x0017, 0x0019),  # for export
        *(0x0009, 0x000C, 0x000F, 0x0012, 0x0015, 0x001A),  # DES
        *(0x000A, 0x000D, 0x0010, 0x0013, 0x0016, 0xC003, 0xC008, 0xC00D, 0xC012),  # 3DES
    ),
)
RECORDED: Final = Offer("a suite whose recordings a stolen key opens", 0x0303, _RSA)
"""RSA key transport: our own applications refuse it (`minimum_tls_cipher_suite`); of Azure's
other services nobody can choose."""

_HANDSHAKE, _ALERT, _CLIENT_HELLO, _SERVER_HELLO = 0x16, 0x15, 0x01, 0x02
_HEADER: Final = 5
_LONGEST_RECORD: Final = 2**14 + 256


async def older(place: Place, caller: Caller, over: Observation) -> Observation:
    """Return what was seen of a name's TLS, and whether it would agree to less.

    Args:
        place: Where.
        caller: How.
        over: What was seen of the TLS that it chose.
    """
    applications = place.service.startswith("application") and not place.service.endswith("site")
    offers = [OLD, WEAK, *([RECORDED] if applications else [])]
    taken, silent = await agreed(place.url, offers, caller)
    facts = {
        **over.facts,
        "agrees to": [one.name for one in taken],
        "not said of": [one.name for one in silent],
    }
    if taken:
        says = f"it agrees to {' and to '.join(one.name for one in taken)}, if that is offered"
        return replace(over, outcome=Outcome.FINDING, says=says, facts=facts)
    if silent:
        says = f"it did not say whether it agrees to {' or to '.join(one.name for one in silent)}"
        return replace(over, outcome=Outcome.UNSEEN, says=says, facts=facts)
    says = f"{over.says}; it refuses {', '.join(one.name for one in offers)}"
    return replace(over, says=says, facts=facts)


async def agreed(
    url: str, offers: Iterable[Offer], caller: Caller
) -> tuple[list[Offer], list[Offer]]:
    """Return what a name agrees to, and what it did not say of.

    Args:
        url: Of the name.
        offers: What is offered, each by itself.
        caller: How it is reached.
    """
    asked = list(offers)
    told = await asyncio.gather(*(_agrees(url, one, caller) for one in asked))
    taken = [one for one, says in zip(asked, told, strict=True) if says]
    silent = [one for one, says in zip(asked, told, strict=True) if says is None]
    return taken, silent


async def _agrees(url: str, offer: Offer, caller: Caller) -> bool | None:
    """Return whether a name agrees; None where it does not say."""
    host = urlsplit(url).hostname or ""
    try:
        async with caller.connection(url) as (reader, writer), asyncio.timeout(SECONDS):
            writer.write(client_hello(host, offer))
            try:
                await writer.drain()
                header = await reader.readexactly(_HEADER)
                length = int.from_bytes(header[3:], "big")
                if header[0] == _ALERT:
                    return False
                if header[0] != _HANDSHAKE or not 0 < length <= _LONGEST_RECORD:
                    return None
                return (await reader.readexactly(1))[0] == _SERVER_HELLO
            except (ConnectionError, asyncio.IncompleteReadError):
                # Hanging up is how many refuse.
                return False
    except (OSError, TimeoutError, Unreached):
        return None


def client_hello(host: str, offer: Offer) -> bytes:
    """Return the first message of a handshake, in one record."""
    name = host.encode("idna")
    suites = b"".join(pack("!H", one) for one in offer.suites)
    extensions = b"".join(
        pack("!HH", kind, len(data)) + data
        for kind, data in (
            (0x0000, _vector(b"\x00" + _vector(name))),  # the name
            (0x000A, _vector(pack("!HHH", 0x001D, 0x0017, 0x0018))),  # curves
            (0x000B, b"\x01\x00"),  # points as they are
            (0x000D, _vector(pack("!8H", *_SIGNATURES))),
            (0xFF01, b"\x00"),  # secure renegotiation
        )
    )
    hello = (
        pack("!H", offer.version)
        + os.urandom(32)
        + b"\x00"  # no session to go on with
        + _vector(suites)
        + b"\x01\x00"  # no compression
        + _vector(extensions)
    )
    message = bytes([_CLIENT_HELLO]) + len(hello).to_bytes(3, "big") + hello
    return bytes([_HANDSHAKE]) + pack("!H", 0x0301) + _vector(message)


_SIGNATURES: Final = (0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501, 0x0201, 0x0203)


def _vector(data: bytes) -> bytes:
    """Return data behind its length in two bytes."""
    return pack("!H", len(data)) + data
