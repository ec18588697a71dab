"""A terminal that a program runs in, and somebody who types there."""

from __future__ import annotations

import codecs
import os
import pty
import select
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

PATIENCE_SECONDS = 60
CTRL_C, CTRL_D = "\x03", "\x04"
PROMPTS = ("> ", "… ")


class Terminal:
    """The other side of a pseudo-terminal.

    Attributes:
        seen: Everything that the program has written.
    """

    def __init__(self, descriptor: int, pid: int) -> None:
        self.seen = ""
        self._descriptor = descriptor
        self._pid = pid
        self._mark = 0
        self._code: int | None = None
        # What is read may end in the middle of a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def type(self, text: str, *, enter: bool = True) -> None:
        """Type at the prompt; what is written from here on is what `wait` looks at.

        Before the prompt the terminal itself would show what is typed, and take Ctrl-D.
        """
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.seen.endswith(PROMPTS):
            if time.monotonic() > end or not self._read(0.1):
                raise AssertionError(f"there is no prompt: {self.seen[-2000:]!r}")
        self._send(text, enter=enter)

    def interrupt(self, text: str) -> None:
        """Type Ctrl-C, whatever goes on, until `text` is written.

        Again each second, as people do: Python's readline misses a signal that comes while it shows
        a key, until the next key.
        """
        end = time.monotonic() + PATIENCE_SECONDS
        self._send(CTRL_C, enter=False)
        pressed = time.monotonic()
        while text not in self.seen[self._mark :]:
            if time.monotonic() > end or not self._read(0.1):
                raise AssertionError(f"{text!r} did not come; instead: {self.seen[-2000:]!r}")
            if time.monotonic() - pressed > 1:
                os.write(self._descriptor, CTRL_C.encode())
                pressed = time.monotonic()

    def leave(self) -> None:
        """Type Ctrl-D at the prompt."""
        self.type(CTRL_D, enter=False)

    def _send(self, text: str, *, enter: bool) -> None:
        self._mark = len(self.seen)
        os.write(self._descriptor, (text + ("\r" if enter else "")).encode())

    def wait(self, text: str) -> str:
        """Return what was written since something was typed, once it holds `text`."""
        end = time.monotonic() + PATIENCE_SECONDS
        while text not in self.seen[self._mark :]:
            if time.monotonic() > end or not self._read(0.1):
                raise AssertionError(f"{text!r} did not come; instead: {self.seen[-2000:]!r}")
        return self.seen[self._mark :]

    def ended(self) -> int:
        """Return the program's exit code, once it has ended."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self._read(0.1):
            if time.monotonic() > end:
                raise AssertionError(f"it did not end: {self.seen[-2000:]!r}")
        self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code

    def _read(self, seconds: float) -> bool:
        """Read what there is; return whether the program still holds its side open."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return True
        try:
            read = os.read(self._descriptor, 65_536)
        except OSError:
            return False
        self.seen += self._decoder.decode(read)
        return bool(read)

    def close(self) -> None:
        """End the program if it has not ended, and the terminal."""
        if self._code is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._descriptor)


@contextmanager
def terminal(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Run a command in a terminal of its own until the block is left."""
    pid, descriptor = pty.fork()
    if pid == 0:
        try:
            # Whoever runs the tests in the background ignores Ctrl-C, and so would their children.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(command[0], list(command), dict(environment))  # noqa: S606 - what a terminal does
        finally:
            os._exit(127)
    opened = Terminal(descriptor, pid)
    try:
        yield opened
    finally:
        opened.close()
