"""Ranges of addresses, and the parts of the address space that Azure tells apart."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_SIX: Final = 6


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses from one to another, both included, of version 4 or 6."""

    low: int
    high: int
    version: int

    @property
    def size(self) -> int:
        """Return how many addresses it has; one of version 6 counts as a network of 2**64."""
        return max(1, (self.high - self.low + 1) >> (64 if self.version == _SIX else 0))

    def holds(self, other: Range) -> bool:
        """Return whether it has every address of another."""
        return self.version == other.version and self.low <= other.low and other.high <= self.high

    def __str__(self) -> str:
        """Return its first and its last address."""
        kind = ipaddress.IPv6Address if self.version == _SIX else ipaddress.IPv4Address
        return f"{kind(self.low)}-{kind(self.high)}"


@lru_cache(maxsize=65536)
def range_of(text: str) -> Range | None:
    """Return the range that a prefix, an address or `first-last` writes; None for anything else."""
    first, dash, last = text.partition("-")
    try:
        if dash:
            low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
            return Range(int(low), int(high), low.version)
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return Range(int(network.network_address), int(network.broadcast_address), network.version)


def minus(parts: Iterable[Range], taken: Iterable[Range]) -> Iterator[Range]:
    """Yield what is left of some ranges without others."""
    left = list(parts)
    for one in taken:
        left = [piece for part in left for piece in _without(part, one)]
    yield from left


def _without(part: Range, one: Range) -> Iterator[Range]:
    if part.version != one.version or one.high < part.low or part.high < one.low:
        yield part
        return
    if part.low < one.low:
        yield Range(part.low, one.low - 1, part.version)
    if one.high < part.high:
        yield Range(one.high + 1, part.high, part.version)


def within(piece: Range, parts: Iterable[Range]) -> bool:
    """Return whether a range lies wholly in one of others."""
    return any(one.holds(piece) for one in parts)


def _ranges(*texts: str) -> tuple[Range, ...]:
    return tuple(one for text in texts if (one := range_of(text)))


HARDWARE: Final = _ranges("168.63.129.16/32", "169.254.0.0/16")
"""What every machine of Azure reaches on its own host: DNS, health and metadata.

Source: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
"""

PEERS_SPACE: Final = _ranges(
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"
)
"""Private addresses (RFC 1918, RFC 6598, RFC 4193)."""

PUBLIC_SPACE: Final = tuple(
    minus(
        _ranges("0.0.0.0/0", "2000::/3"),
        (
            *HARDWARE,
            *PEERS_SPACE,
            # Loopback, multicast and what is set aside for tests (RFC 6890).
            *_ranges("0.0.0.0/8", "127.0.0.0/8", "198.18.0.0/15", "224.0.0.0/3"),
        ),
    )
)
"""What the Internet routes, seen from Azure."""
