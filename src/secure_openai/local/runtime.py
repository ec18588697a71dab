"""What a process that serves asks of Python and of the C library, once its start is over."""

from __future__ import annotations

import ctypes
import gc
import sys

GARBAGE_OBJECTS = 20_000
"""How many objects more than before are alive when those in cycles are looked for. A request keeps
some hundred while it waits, and Python's own 700 would look through them several times for each."""

FREE_BYTES = 32 * 1_048_576
"""How much free memory is kept, of each arena. The C library gives back what is over 128 kB: thirty
bodies of 100 kB, each held several times over, are asked of the system again and again, page by
page, which costs a request as much as deciding about it."""

ARENAS = 2
"""How many arenas all threads share. The C library would make up to eight for each core, and of
Python's threads hardly two ever ask at the same time."""

LARGE_BYTES = 1_048_576
"""What is asked of the system by itself, and given back at once. It has to be said beside the other
one: the C library finds a bound of its own only while it is told neither."""

TURN_SECONDS = 0.001
"""After how long a thread that has the interpreter gives way to one that waits for it. Python's own
5 ms are many requests: whoever sends observations, or writes, has them several times over."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Names of the GNU C library's (mallopt(3))."""


def prepare_to_serve() -> None:
    """Look for cyclic garbage among what requests leave alone; let threads take short turns.

    Some free memory is kept, too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    sys.setswitchinterval(TURN_SECONDS)
    keep_free_memory()


def keep_free_memory() -> bool:
    """Keep `FREE_BYTES`, and return whether this C library takes such a word."""
    # Others have no such function: what they keep is their own affair.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(
        (
            mallopt(_M_TRIM_THRESHOLD, FREE_BYTES),
            mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES),
            mallopt(_M_ARENA_MAX, ARENAS),
        )
    )
