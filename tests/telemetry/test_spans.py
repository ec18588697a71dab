"""A trace that is not kept has ids and no spans; one that is kept is whole."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import INVALID_SPAN, SpanKind

from secure_openai.monitoring import DrawnIds, WholeTraces
from secure_openai.telemetry import names, spans
from secure_openai.telemetry.logs import JsonFormatter
from secure_openai.telemetry.spans import root, sampled, span, span_id, trace_id
from tests.telemetry.conftest import Observed
from tests.telemetry.test_observations import CHAT, asking, until
from tests.world import World


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Where spans go, as `monitoring` would have it for one trace in five."""
    exporter, sampler = InMemorySpanExporter(), WholeTraces(0.2)
    provider = TracerProvider(sampler=sampler, id_generator=DrawnIds())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "tracer", provider.get_tracer("test"))
    return exporter


def test_a_trace_is_told_by_its_id_before_anything_is_made(
    exported: InMemorySpanExporter,
) -> None:
    """What is kept, and under which id, is what the sampler says of the id that was drawn."""
    sampler = WholeTraces(0.2)
    kept: dict[str, bool] = {}
    with sampled(sampler.keeps):
        for _ in range(500):
            with root("a", SpanKind.SERVER) as current, span("b"):
                assert spans.unseen() is (current is INVALID_SPAN)
                kept[trace_id()] = current.is_recording()
    seen = [trace.format_trace_id(one.context.trace_id) for one in exported.get_finished_spans()]

    assert len(kept) == 500
    assert kept == {one: sampler.keeps(int(one, 16)) for one in kept}
    assert 40 < sum(kept.values()) < 200
    assert sorted(seen) == sorted(2 * [one for one, is_kept in kept.items() if is_kept])


def test_ids_are_those_of_the_block(exported: InMemorySpanExporter) -> None:
    """Outside of any trace there are none, and one that begins within another is another."""
    outside = (trace_id(), span_id())
    with sampled(lambda _: False), root("a", SpanKind.SERVER):
        first = (trace_id(), span_id())
        assert first == (trace_id(), span_id())
        with root("b", SpanKind.SERVER):
            second = (trace_id(), span_id())
        with _one_that_is_kept():
            third = (trace_id(), span_id())
            assert not spans.unseen()
        assert first == (trace_id(), span_id())

    assert outside == ("", "") == (trace_id(), span_id())
    assert [(len(one), len(two)) for one, two in (first, second, third)] == [(32, 16)] * 3
    assert len({first, second, third}) == 3
    assert int(first[0], 16)
    assert int(first[1], 16)


@contextmanager
def _one_that_is_kept() -> Iterator[None]:
    with sampled(WholeTraces(0.2).keeps):
        for _ in range(500):
            with root("c", SpanKind.SERVER) as current:
                if current.is_recording():
                    yield
                    return


def test_what_begins_without_a_request_is_sampled_too(exported: InMemorySpanExporter) -> None:
    """A job's trace that is not kept has an id, and nothing under it is made."""
    for _ in range(100):
        with span("job x") as current, span("under it"):
            assert spans.unseen() is not current.is_recording()
            assert trace_id() == trace.format_trace_id(current.get_span_context().trace_id)

    assert 0 < len(exported.get_finished_spans()) < 120
    assert trace_id() == ""


async def test_a_request_that_is_not_traced_is_found_all_the_same(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log, its measurements and its number are as those of one that is; there is no span."""
    logger = logging.getLogger("secure_openai.tests")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    known = world.assembly.pipeline._known

    def said(deployment: str | None) -> str | None:
        logger.warning("within")
        return known(deployment)

    monkeypatch.setattr(world.assembly.pipeline, "_known", said)
    with sampled(lambda _: False):
        async with world.client(**world.bearer("Uma")) as http:
            answer = await http.post(CHAT, json=asking("hello", model="gpt-9"))
            good = await http.post(CHAT, json=asking("hello", stream=True))
        await until(lambda: observed.count(names.REQUEST_DURATION.name) == 2)
    logger.removeHandler(handler)
    line = json.loads(stream.getvalue().splitlines()[0])
    (record,) = {
        (one.log_record.trace_id, one.log_record.span_id)
        for one in observed.logged
        if one.log_record.body == "within"
    }
    traced, span_of = record
    events = await world.events()

    assert (answer.status_code, good.status_code) == (404, 200)
    assert observed.spans == []
    assert answer.headers["x-request-id"] == line["request_id"] == f"{traced:032x}"
    assert line["span_id"] == f"{span_of:016x}"
    assert {one.request_id for one in events} == {
        one.headers["x-request-id"] for one in (answer, good)
    }
    assert observed.count(names.OPERATION_DURATION.name) == 1


async def test_tasks_are_of_the_trace_that_began_them() -> None:
    """What goes on beside a request or after it has the request's id."""
    with sampled(lambda _: False), root("a", SpanKind.SERVER):
        mine = trace_id()
        task = asyncio.create_task(_id_soon())

    assert await task == mine
    assert trace_id() == ""


async def _id_soon() -> str:
    await asyncio.sleep(0)
    return trace_id()
