"""Ids that never repeat, drawn without asking the kernel for each.

They name requests and reservations. They open nothing, so whoever saw enough of them might tell the
next one and would have gained nothing; whatever opens something comes from `secrets`.
"""

from __future__ import annotations

import os
import random
import secrets

_BITS = 128
_drawn = random.Random(secrets.randbits(_BITS))


def fresh_number() -> int:
    """Return 128 bits that no other call returns, in this process or another."""
    return _drawn.getrandbits(_BITS)


def fresh_id() -> str:
    """Return 32 hexadecimal digits that no other call returns, in this process or another."""
    return fresh_number().to_bytes(_BITS // 8, "big").hex()


def _seed() -> None:
    _drawn.seed(secrets.randbits(_BITS))


# A process that was forked would draw what its parent draws.
os.register_at_fork(after_in_child=_seed)
