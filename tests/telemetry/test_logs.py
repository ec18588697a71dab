"""The log: one JSON object a line, with the request's number and without anybody's words."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from secure_openai.telemetry import logs
from secure_openai.telemetry.logs import MOST_CAUSES, write_log
from secure_openai.telemetry.names import LOG_FIELDS


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """A log, set up as `serve` does."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    loggers = [logging.getLogger(name) for name in ("", "secure_openai", "uvicorn.error")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.NOTSET)
    # Servers of other tests keep their words to themselves; `serve` leaves that to us.
    server = logging.getLogger("uvicorn")
    propagated, server.propagate = server.propagate, True
    stream = io.StringIO()
    write_log(stream)
    yield stream
    server.propagate = propagated
    root.handlers[:] = handlers
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    """Return what was logged."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_line_is_one_object_with_the_declared_fields(log: io.StringIO) -> None:
    """Whatever is said, a line is a line, and says when, how grave, where and what."""
    token = logs.request_id.set("a" * 32)
    try:
        logging.getLogger("secure_openai.x").info("one\ntwo %s", "three")
        try:
            int("secret")
        except ValueError:
            logging.getLogger("secure_openai.x").exception("it failed")
    finally:
        logs.request_id.reset(token)
    said, failed = lines(log)

    assert (said["level"], said["logger"], said["message"]) == (
        "INFO",
        "secure_openai.x",
        "one\ntwo three",
    )
    assert said["request_id"] == failed["request_id"] == "a" * 32
    assert said["time"].endswith("+00:00")
    assert failed["exception"] == "builtins.ValueError"
    assert failed["stack"][-1].startswith("tests/telemetry/test_logs.py:")
    assert "secret" not in log.getvalue()
    assert said.keys() | failed.keys() <= {one.name for one in LOG_FIELDS}


def test_libraries_words_are_replaced_by_their_place(log: io.StringIO) -> None:
    """A library may quote what was sent: where it speaks is said, and only from warnings on."""
    for name in ("asyncio", "azure.core", "secure_openai_x", "uvicorn.error"):
        logging.getLogger(name).warning("Task exception: ValueError('secret %s')", "more")
    logging.getLogger("asyncio").info("not heard")
    logging.getLogger("secure_openai.x").debug("nor this")
    asyncio, azure, neighbour, server = lines(log)

    for one in (asyncio, azure, neighbour):
        assert one["message"].startswith("said at test_logs:")
    assert server["message"] == "Task exception: ValueError('secret more')"


def test_what_led_to_an_exception_is_told_so_far(log: io.StringIO) -> None:
    """Causes are named by their class, a bounded number of them; one that is hidden is not."""
    chain = ValueError("0")
    for number in range(20):
        later = ValueError(str(number))
        later.__cause__, chain = chain, later
    hidden = KeyError("x")
    hidden.__context__, hidden.__suppress_context__ = chain, True
    for error in (chain, hidden):
        logging.getLogger("secure_openai.x").error("it failed", exc_info=error)
    long, short = lines(log)

    assert long["exception"].split(" from ") == ["builtins.ValueError"] * MOST_CAUSES
    assert short["exception"] == "builtins.KeyError"
