"""A proxy between browser and application whose wire can be cut while an answer comes."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_HEAD = re.compile(rb"^(\w+) http://([^/:]+):(\d+)(/\S*) (HTTP/1\.1)\r\n")
_CHUNK = 65_536


class Wire:
    """An HTTP proxy in threads: every request on a connection of its own.

    Attributes:
        address: What a browser is told.
    """

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._whole = threading.Event()
        self._whole.set()
        self._losing = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and every one that is begun, until it is mended."""
        self._whole.clear()
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self._whole.set()

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

    def _carry(self, here: socket.socket) -> None:
        with here, suppress(OSError):
            if not self._whole.is_set():
                return
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
            there = socket.create_connection((host.decode(), int(port)))
            self._open |= {here, there}
            with there:
                line = b"%s %s %s\r\nConnection: close\r\n" % (method, path, version)
                there.sendall(line + head[found.end() :])
                threading.Thread(target=_pour, args=(here, there), daemon=True).start()
                if method == b"POST" and self._losing.is_set():
                    self._losing.clear()
                    while there.recv(_CHUNK):
                        pass
                else:
                    _pour(there, here)
                # Closing alone says nothing while the other thread still reads from it.
                here.shutdown(socket.SHUT_RDWR)
            self._open -= {here, there}


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_CHUNK):
            target.sendall(piece)


@contextmanager
def wired() -> Iterator[Wire]:
    """Yield a wire that is whole."""
    wire = Wire()
    try:
        yield wire
    finally:
        wire.close()
