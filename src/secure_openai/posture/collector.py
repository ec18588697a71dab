"""Python's collector of reference cycles, kept out of the way of large estates."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Look for no reference cycles meanwhile; usable as a decorator.

    Neither reading an estate nor judging it leaves cycles behind. The collector would walk through
    every value again and again and find nothing, which costs a large estate a quarter of its time.
    What nobody refers to any more is freed at once all the same.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
