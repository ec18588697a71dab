"""HTTP as uvicorn reads it, with a bound on what comes before a request is known.

httptools has no limit of its own on headers, and uvicorn no time limit on them. What comes after a
body as trailers would be read as headers; a proxy in front has not seen them (RFC 9110, 6.5.1).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from secure_openai.edge.openai_errors import openai_error, speaks_openai
from secure_openai.edge.problems import MEDIA_TYPE, problem_of
from secure_openai.errors import RequestError

LARGEST_HEAD_BYTES = 65_536
HEAD_SECONDS = 20.0
"""How long a request's line and headers may take to arrive."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too large or too slow."""

    _head_bytes = 0
    _head_open = True
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to count a request's head."""
        super().on_message_begin()
        # Most heads come whole: what is left of one is waited for once all that came is read.
        self._end_head()
        self._head_open = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is none."""
        if self._head_open:
            super().on_header(name, value)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words
        """Refuse what is not HTTP, or what two readers would read differently, and hang up."""
        error = RequestError("The request is not well-formed HTTP.")
        if speaks_openai(getattr(self, "url", b"").decode("latin-1").partition("?")[0]):
            kind, body = "application/json", openai_error(error)
        else:
            kind, body = MEDIA_TYPE, problem_of(error, request_id="")
        text = json.dumps(body).encode()
        head = (
            "HTTP/1.1 400 Bad Request",
            f"content-type: {kind}",
            f"content-length: {len(text)}",
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "connection: close",
        )
        self.transport.write("\r\n".join(head).encode() + b"\r\n\r\n" + text)
        self.transport.close()

    def on_headers_complete(self) -> None:
        """Stop counting: limits of the body are the application's."""
        self._end_head()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too large."""
        if self._head_open:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._head_open:
            return
        if self._head_bytes > LARGEST_HEAD_BYTES:
            self._give_up()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _begin_head(self) -> None:
        self._end_head()
        self._head_open = True
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _end_head(self) -> None:
        self._head_open = False
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._end_head()
        if not self.transport.is_closing():
            self.transport.close()
