"""A proxy between browser and application whose wire can be cut or held while an answer comes."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

_HEAD = re.compile(rb"^(\w+) http://([^/:]+):(\d+)(/\S*) (HTTP/1\.1)\r\n")
_CHUNK = 65_536
_DELTA, _END = b"event: delta", b"\n\n"


class Wire:
    """An HTTP proxy in threads: every request on a connection of its own.

    Where an answer is to be held is said before it is asked for, by a word of it: how long a test
    then takes to do what it does in its middle is the machine's affair.

    Attributes:
        address: What a browser is told.
    """

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._whole = True
        self._losing = threading.Event()
        self._word: bytes | None = None
        self._let_go = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and every one that is begun, until it is mended."""
        with self._lock:
            self._whole = False
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self.let_go()

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._whole = True

    def hold_at(self, word: str) -> None:
        """Hold back what follows this word in the next answer that has it, and nothing else."""
        self._let_go.clear()
        self._word = word.encode()

    def let_go(self) -> None:
        """Let through what was held back."""
        self._let_go.set()

    def lose_next_answer(self) -> None:
        """Carry the next thing that is sent, and break before its answer."""
        self._losing.set()

    def close(self) -> None:
        """Cut it for good."""
        self.cut()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(here,), daemon=True).start()

    def _joined(self, one: socket.socket) -> bool:
        """Return whether the wire is whole; if so, a cut breaks this connection, too."""
        with self._lock:
            if self._whole:
                self._open.add(one)
            return self._whole

    def _carry(self, here: socket.socket) -> None:
        with here, suppress(OSError):
            try:
                if self._joined(here):
                    self._carry_to(here)
            finally:
                with self._lock:
                    self._open.discard(here)

    def _carry_to(self, here: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = here.recv(_CHUNK)
            if not piece:
                return
            head += piece
        found = _HEAD.match(head)
        if found is None:
            return
        method, host, port, path, version = found.groups()
        with socket.create_connection((host.decode(), int(port))) as there:
            if not self._joined(there):
                return
            try:
                line = b"%s %s %s\r\nConnection: close\r\n" % (method, path, version)
                there.sendall(line + head[found.end() :])
                threading.Thread(target=_pour, args=(here, there), daemon=True).start()
                if method == b"POST" and self._losing.is_set():
                    self._losing.clear()
                    while there.recv(_CHUNK):
                        pass
                else:
                    _pour(there, here, self._held)
                # Closing alone says nothing while the other thread still reads from it.
                here.shutdown(socket.SHUT_RDWR)
            finally:
                with self._lock:
                    self._open.discard(there)

    def _held(self, piece: bytes) -> Iterator[bytes]:
        """Yield a piece of an answer; behind the word at which it is to be held, once it may go on.

        What comes as the question says the word, too.
        """
        at = piece.find(self._word, piece.find(_DELTA)) if self._word and _DELTA in piece else -1
        if at >= 0:
            self._word = None
            said, end, rest = piece[at:].partition(_END)
            yield piece[:at] + said + end
            self._let_go.wait()
            piece = rest
        yield piece


def _pour(
    source: socket.socket,
    target: socket.socket,
    parts: Callable[[bytes], Iterable[bytes]] = lambda piece: (piece,),
) -> None:
    with suppress(OSError):
        while piece := source.recv(_CHUNK):
            for part in parts(piece):
                target.sendall(part)


@contextmanager
def wired() -> Iterator[Wire]:
    """Yield a wire that is whole."""
    wire = Wire()
    try:
        yield wire
    finally:
        wire.close()
