"""The log: one JSON object a line, with the number that an error page shows.

An exception is told by its class and the frames it passed, never by its words: a library's error
may quote what was typed. For the same reason what a library says is replaced by where it says it,
except where its sentences are known to quote nothing.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TextIO

from opentelemetry import _logs
from opentelemetry._logs import LogRecord, SeverityNumber

from secure_openai.telemetry.names import SCOPE
from secure_openai.telemetry.spans import context_of_log, span_id

MOST_CAUSES = 5
OWN = "secure_openai"
PLAIN = frozenset({"uvicorn.error"})
"""Libraries whose sentences quote nothing that anybody sent."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The number of the request that is under way."""

_SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


def write_log(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Write what this process logs as JSON, one object a line, in place of whatever was set up.

    Args:
        stream: Where to; standard error unless given.
        level: Of our own messages; libraries are heard from warnings on.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OWN).setLevel(level)


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON; see `names.LOG_FIELDS`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            **facts_of(record),
        }
        if span := span_id():
            line["span_id"] = span
        return json.dumps(line, ensure_ascii=False)


class ExportingHandler(logging.Handler):
    """Hands records to OpenTelemetry, with the same fields; the span in context joins them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        try:
            _logs.get_logger(SCOPE).emit(
                LogRecord(
                    context=context_of_log(),
                    timestamp=int(record.created * 1e9),
                    severity_text=record.levelname,
                    severity_number=_SEVERITIES.get(record.levelno, SeverityNumber.INFO),
                    body=message_of(record),
                    attributes={"logger": record.name, **facts_of(record)},
                )
            )
        except Exception:  # noqa: BLE001, RUF100 - a log must not break what is logged
            self.handleError(record)


def message_of(record: logging.LogRecord) -> str:
    """Return what a record says, as far as it is known to quote nobody."""
    if record.name.partition(".")[0] == OWN or record.name in PLAIN:
        return record.getMessage().strip()
    return f"said at {record.module}:{record.lineno}"


def facts_of(record: logging.LogRecord) -> dict[str, str | list[str]]:
    """Return what else a record carries."""
    facts: dict[str, str | list[str]] = {}
    if number := request_id.get():
        facts["request_id"] = number
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        facts["exception"] = classes_of(error)
        facts["stack"] = frames_of(error)
    return facts


def classes_of(error: BaseException) -> str:
    """Return the class of an exception, and of those that led to it."""
    return " from ".join(_classes(error))


def frames_of(error: BaseException) -> list[str]:
    """Return where an exception came from: file, line and function of each frame."""
    return [
        # Not the whole path: it may name who is logged in here.
        f"{'/'.join(PurePath(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]


def _classes(error: BaseException) -> Iterator[str]:
    """Yield the class of an exception, and of those that led to it."""
    current: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if current is None:
            return
        yield f"{type(current).__module__}.{type(current).__qualname__}"
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
