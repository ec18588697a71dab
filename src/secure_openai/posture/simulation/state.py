"""Where Terraform keeps the simulated state: in this process, and nowhere on disk.

Terraform's local backend writes and compares the whole state after every resource, which costs the
square of their number. To a backend that it reaches by HTTP it sends the state when it has done.
"""

from __future__ import annotations

import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class State:
    """The state of one workspace, served on loopback for as long as the context lasts.

    Attributes:
        content: The state as Terraform wrote it; empty before it did.
    """

    def __init__(self) -> None:
        """Prepare to serve; nothing listens before the context is entered."""
        self.content = b""
        # Other users of this machine may reach the port: nobody guesses the path.
        self._path = f"/{secrets.token_urlsafe()}"

    def __enter__(self) -> Self:
        """Listen on a free port."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening; what was written stays."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        """Return where Terraform's HTTP backend finds it."""
        return f"http://127.0.0.1:{self._server.server_port}{self._path}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        state = self

        class Handler(BaseHTTPRequestHandler):
            """Terraform, "Backend type: http": GET reads the state, POST writes it."""

            def do_GET(self) -> None:
                """Answer with the state, if there is one."""
                if self.path == state._path and state.content:
                    self._answer(HTTPStatus.OK, state.content)
                else:
                    self._answer(HTTPStatus.NOT_FOUND)

            def do_POST(self) -> None:
                """Keep the state."""
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path != state._path:
                    self._answer(HTTPStatus.NOT_FOUND)
                    return
                state.content = sent
                self._answer(HTTPStatus.OK)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _answer(self, status: HTTPStatus, content: bytes = b"") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler
