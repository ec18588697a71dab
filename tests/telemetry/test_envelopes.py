"""What is sent of a span is what Azure Monitor's library would have sent of it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

from secure_openai import envelopes
from secure_openai.envelopes import Envelopes
from secure_openai.environment import TALKATIVE_VARIABLES
from secure_openai.monitoring import UnhurriedExporter, WholeTraces
from secure_openai.telemetry import names
from tests.ingestion import Ingestion, ingesting
from tests.tls import Tls

VALUES: dict[str, list[Any]] = {
    names.STATUS.name: [200, 404, 500],
    names.STREAM.name: [True, False],
    names.ESTIMATED.name: [True, False],
    names.FINISH.name: [["stop"], ["other"]],
    names.ERROR.name: ["quota", 'a "quoted" \u00fc'],
}


class Somebody:
    """A credential."""

    def get_token(self, *_: str, **options: Any) -> AccessToken:
        """Return a token."""
        return AccessToken("a token", int(time.time()) + 3600)


def some_spans(count: int) -> list[Span]:
    """Return spans of every shape that is observed, with any attributes and ends."""
    drawn = random.Random(6)
    resource = Resource({"service.name": "test", "service.version": "1"})
    tracer = TracerProvider(sampler=WholeTraces(0.999), resource=resource).get_tracer("test")
    found: list[Span] = []
    while len(found) < count:
        shape = drawn.choice(names.SPANS)
        told = {
            one.name: drawn.choice(VALUES.get(one.name, ["a", "b"]))
            for one in shape.attributes
            if drawn.random() < 0.9
        }
        for name in envelopes.COUNTS & told.keys():
            told[name] = drawn.randrange(100_000)
        kind = drawn.choice([SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER])
        above = set_span_in_context(drawn.choice(found)) if found and drawn.random() < 0.5 else None
        began = drawn.choice([10**18, drawn.randrange(1, 2 * 10**18)])
        links = [Link(drawn.choice(found).context)] if found and drawn.random() < 0.1 else []
        span = tracer.start_span(
            shape.name, kind=kind, attributes=told, start_time=began, context=above, links=links
        )
        if not isinstance(span, Span):
            continue
        if drawn.random() < 0.2:
            span.set_status(Status(StatusCode.ERROR))
        span.end(began + int(drawn.expovariate(1) * 10 ** drawn.randrange(15)))
        found.append(span)
    return found


def exporter_to(
    ingestion: Ingestion, kind: type[AzureMonitorTraceExporter], **how: Any
) -> AzureMonitorTraceExporter:
    """Return an exporter of a kind."""
    return kind(
        connection_string=ingestion.connection_string,
        credential=Somebody(),
        disable_offline_storage=True,
        **how,
    )


def sent_by(
    kind: type[AzureMonitorTraceExporter], tls: Tls, spans: Sequence[ReadableSpan]
) -> list[dict[str, Any]]:
    """Return what arrives of spans, but for what an exporter says of their resource."""
    with ingesting(tls) as ingestion:
        exporter = exporter_to(ingestion, kind, connection_verify=str(tls.ca))
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        exporter.client.close()
    return [one for one in ingestion.items if one["data"]["baseType"] != "MetricData"]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep exporters from speaking of themselves."""
    for name in TALKATIVE_VARIABLES:
        monkeypatch.setenv(name, "true")


def test_what_arrives_is_what_the_library_would_send(tls: Tls) -> None:
    """Spans of all shapes, above and below one another, short and long, failed and not."""
    spans = some_spans(2_000)
    expected = sent_by(AzureMonitorTraceExporter, tls, spans)
    actual = sent_by(UnhurriedExporter, tls, spans)

    assert len(expected) == 2_000
    assert expected == actual


def test_a_shape_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, moments and counts make no shape of their own, and shapes that are many are let go."""
    monkeypatch.setattr(envelopes, "MOST_SHAPES", 2)
    asked: list[str] = []
    tracer = TracerProvider().get_tracer("test")
    library = exporter_to(Ingestion("https://localhost:1"), AzureMonitorTraceExporter)

    def convert(span: ReadableSpan) -> envelopes.Envelope:
        asked.append(span.name)
        return library._span_to_envelope(span).as_dict(exclude_readonly=True)

    made = Envelopes(convert)
    for number, name in enumerate("aabcca"):
        span = tracer.start_span(name, attributes={names.INPUT_TOKENS.name: number})
        assert isinstance(span, Span)
        span.end()
        made.of(span)

    assert asked == ["a", "b", "c", "a"]


def test_what_the_library_makes_otherwise_is_left_to_it() -> None:
    """A version of it whose envelopes say a moment or an id elsewhere is asked for every span."""
    tracer = TracerProvider().get_tracer("test")
    spans = [
        one for one in (tracer.start_span("a"), tracer.start_span("a")) if isinstance(one, Span)
    ]

    def convert(span: ReadableSpan) -> envelopes.Envelope:
        return {"tags": {}, "data": {"baseData": {}}, "moment": span.start_time}

    made = Envelopes(convert)

    assert [convert(one) for one in spans] == [made.of(one) for one in spans]
