"""Server-sent events from bytes, each kept exactly as it came (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from secure_openai.errors import ModelError
from secure_openai.model.interface import ServerSentEvent

LARGEST_EVENT_BYTES = 1_048_576


_LINES = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Takes bytes however they are cut, gives events."""

    def __init__(self, *, largest_bytes: int = LARGEST_EVENT_BYTES) -> None:
        self._held = b""
        self._largest = largest_bytes
        self._line = 0
        self._searched = 0
        self._has_field = False

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Yield every event that is complete now; no byte is searched more than twice.

        A CR at the very end may be half of a CRLF: the event waits for the next byte, so that its
        raw bytes are the same however the stream is cut.

        Raises:
            ModelError: An event is larger than the limit.
        """
        complete = self._complete(chunk)
        last = len(complete) - 1
        for number, raw in enumerate(complete):
            yield _event(raw, followed=number < last)
        if len(self._held) > self._largest:
            raise ModelError("The model sent an event that is too large.")

    def _complete(self, chunk: bytes) -> list[bytes]:
        found: list[bytes] = []
        if not self._held and b"\r" not in chunk:
            # Nearly all are so: whole events, and one kind of line end.
            begin = 0
            while (end := chunk.find(b"\n\n", begin)) >= 0 and not chunk.startswith(b"\n", begin):
                found.append(chunk[begin : end + 2])
                begin = end + 2
            if begin == len(chunk):
                return found
            chunk = chunk[begin:]
        return found + self._line_by_line(chunk)

    def _line_by_line(self, chunk: bytes) -> list[bytes]:
        self._held += chunk
        begin, complete = 0, []
        while (found := _LINES.search(self._held, self._searched)) is not None:
            if found.group() == b"\r" and found.end() == len(self._held):
                break
            # A blank line before any field belongs to the event that follows.
            ends_event = found.start() == self._line and self._has_field
            self._has_field = self._has_field or found.start() != self._line
            self._line = self._searched = found.end()
            if ends_event:
                complete.append(self._held[begin : found.end()])
                begin, self._has_field = found.end(), False
        else:
            self._searched = len(self._held)
        self._held = self._held[begin:]
        self._line -= begin
        self._searched -= begin
        return complete

    @property
    def rest(self) -> bytes:
        """Return what came after the last complete event."""
        return self._held


def _event(raw: bytes, *, followed: bool) -> ServerSentEvent:
    if raw.startswith(b"data: ") and raw.count(b"\n") == 2 and b"\r" not in raw:  # noqa: PLR2004 - both ends of lines
        # Nearly all are so: one line of data, and the blank one.
        return ServerSentEvent(raw, raw[6:-2], followed=followed)
    data, event = [], b""
    for line in _LINES.split(raw.removeprefix(_BYTE_ORDER_MARK)):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"event":
            event = value.removeprefix(b" ")
    return ServerSentEvent(raw, b"\n".join(data), event, followed)
