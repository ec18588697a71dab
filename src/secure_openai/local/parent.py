"""A child must not outlive its parent, however the parent dies."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def watch_parent(descriptor: int, on_gone: Callable[[], None]) -> None:
    """Call `on_gone`, on a thread, when the other end of a pipe closes.

    The parent holds the writing end and never writes: the kernel closes it with the parent, also
    after `kill -9`. This works on Linux and macOS alike.

    Args:
        descriptor: The reading end.
        on_gone: Called once.
    """

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        on_gone()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
