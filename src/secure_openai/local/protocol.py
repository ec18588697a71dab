"""HTTP as uvicorn reads it, with a bound on what comes before a request is known.

httptools has no limit of its own on headers, and uvicorn no time limit on them. What comes after a
body as trailers would be read as headers; a proxy in front has not seen them (RFC 9110, 6.5.1).
"""

from __future__ import annotations

import asyncio
import json
from itertools import islice
from operator import itemgetter
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from secure_openai.edge.openai_errors import openai_error, speaks_openai
from secure_openai.edge.problems import MEDIA_TYPE, problem_of
from secure_openai.errors import RequestError

LARGEST_HEAD_BYTES = 65_536
HEAD_SECONDS = 20.0
"""How long a request's line and headers may take to arrive."""

LOOKED_AT = 64
"""How many connections are looked at for one that makes way."""

STALLED_SECONDS = 30.0
LEAST_READ_BYTES = 16_384
"""How much of an answer that does not leave at once its client must read in that time, or all."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too large or too slow.

    So does one whose client goes on with what is no request after its answer, or does not read what
    it asked for: uvicorn waits for both without end.

    uvicorn's own `limit_concurrency` refuses requests, in words of its own and those of connections
    that are long since open; here it bounds connections. One more takes the place of one that waits
    for a request, and is closed as it comes where none does. How many requests are answered at
    once, the application says (`CapacityMiddleware`).
    """

    _head_bytes = 0
    _head_open = True
    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self._most, self.limit_concurrency = self.limit_concurrency, None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request, unless there are too many who do."""
        super().connection_made(transport)
        # Whatever the system does not take at once waits for its client, and not without end. With
        # 0 asyncio's TLS would take nothing for full, and wait for itself.
        transport.set_write_buffer_limits(high=1, low=0)
        if self._most is not None and len(self.connections) > self._most and not self._has_place():
            transport.close()
            return
        self._begin_head()

    def _has_place(self) -> bool:
        """Take the place of a connection on which nothing is under way; return if there was one.

        Of some that are looked at, the one makes way whose time would be over first: whoever opens
        many and sends nothing keeps nobody out.
        """
        looked_at = [
            (until, one)
            for one in islice(self.connections, LOOKED_AT)
            if isinstance(one, BoundedHttpProtocol)
            and one is not self
            and (until := one.waits_until()) is not None
        ]
        if not looked_at:
            return False
        min(looked_at, key=itemgetter(0))[1].transport.close()
        return True

    def waits_until(self) -> float | None:
        """Return when the wait for a request is over, by the loop's clock; `None` without one."""
        timers = (self._head_timer, self.timeout_keep_alive_task)
        until = [one.when() for one in timers if one is not None]
        return None if not until or self.transport.is_closing() else min(until)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_head()
        self._end_reading()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to see whether the client reads."""
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        """Go on: it does."""
        self._end_reading()
        super().resume_writing()

    def _await_reading(self) -> None:
        self._end_reading()
        left = self.transport.get_write_buffer_size()
        self._read_timer = self.loop.call_later(STALLED_SECONDS, self._look_again, left)

    def _look_again(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < LEAST_READ_BYTES:
            # Closing would wait until all of it is read.
            self.transport.abort()
        else:
            self._await_reading()

    def _end_reading(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

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
        current = self.cycle
        under_way = current is not None and not current.response_complete
        if under_way and (current.response_started or not current.more_body):
            # What stands before it has an answer of its own, and this is no part of that.
            self.transport.close()
            return
        error = RequestError("The request is not well-formed HTTP.")
        if speaks_openai(_path_of(getattr(self, "url", b""))):
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
        """Stop counting: limits of the body are the application's.

        Raises:
            ValueError: Two readers would read the request differently.
        """
        self._end_head()
        upgrade = self.parser.should_upgrade()
        self._require_one_reading(upgrade=upgrade)
        super().on_headers_complete()
        if upgrade:
            # Nothing else is spoken here (RFC 9110, 7.8: it may be ignored). The parser would take
            # what follows for the other protocol's.
            self.cycle.keep_alive = False

    def _require_one_reading(self, *, upgrade: bool) -> None:
        """Return if there is one way to read the head (RFC 9112, 3.2, 6.1 and 11.2)."""
        version = self.parser.get_http_version()
        lengths = [value for name, value in self.headers if name == b"content-length"]
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if version not in {"1.0", "1.1"}:
            raise ValueError("a version that is not spoken")
        if codings and (codings != [b"chunked"] or version == "1.0"):
            # The parser takes any list that ends with chunked, and the body with its other codings.
            raise ValueError("a coding of the body that is not undone")
        if upgrade and (codings or any(value.strip(b" \t0") for value in lengths)):
            # The parser would begin the next request where the body of this one does.
            raise ValueError("a body and another protocol")
        if b"#" in self.url or not (self.url.startswith(b"/") or self._names_host()):
            raise ValueError("an address of no form, or of somebody else")
        path = self.url.partition(b"?")[0]
        if b"%" in path and any(one in path.lower() for one in (b"%2f", b"%5c")):
            raise ValueError("a slash that some take for one and some do not")

    def _names_host(self) -> bool:
        """Return whether an absolute address names what `Host` does (RFC 9112, 3.2.2)."""
        scheme, _, rest = self.url.partition(b"://")
        authority = rest.partition(b"/")[0]
        hosts = [value.lower() for name, value in self.headers if name == b"host"]
        return scheme.lower() in {b"http", b"https"} and hosts == [authority.lower()]

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too large."""
        if self._head_open:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._head_open and not self._answered():
            return
        if self._head_bytes > LARGEST_HEAD_BYTES:
            self._give_up()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _answered(self) -> bool:
        """Return whether an answer went out, and what comes is the rest of its request or nothing.

        Whatever comes ends the wait for the next request, which only another answer begins again.
        """
        return self.cycle is not None and self.cycle.response_complete

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


def _path_of(target: bytes) -> str:
    """Return the path of an address in either form, as far as it can be told."""
    text = target.decode("latin-1")
    if not text.startswith("/"):
        text = "/" + text.partition("://")[2].partition("/")[2]
    return text.partition("?")[0]
