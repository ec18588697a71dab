"""`secure-openai down`."""

from __future__ import annotations

import os
import signal
import time

import typer

from secure_openai.cli.console import DEFAULT_DATA, NEGATIVE, DataOption, err, out, told_clearly
from secure_openai.local.folder import Folder

WAIT_SECONDS = 15.0


def down(data: DataOption = DEFAULT_DATA) -> None:
    """Stop the system that runs in a data folder; nothing is lost.

    [bold]Examples[/bold]

      secure-openai down
      secure-openai down --data ~/secure-chat
    """
    folder = Folder(data)
    with told_clearly():
        folder.require_ours()
    running = folder.running()
    if not folder.is_locked() or running is None:
        out.print(f"Nothing runs in {folder.path}.")
        return
    # The folder's lock is held, so its writer lives and the number is still its own.
    try:
        os.kill(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        out.print(f"Nothing runs in {folder.path}.")
        return
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        time.sleep(0.05)
        if not folder.is_locked():
            out.print("Stopped.")
            return
    err.print(f"[red]✗[/red] Process {running.pid} did not stop in {WAIT_SECONDS:.0f} s.")
    raise typer.Exit(NEGATIVE)
