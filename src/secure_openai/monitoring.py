"""Azure Monitor: where observations go when the settings name it, and the only room with an SDK.

The distribution's exporters are taken and its `configure_azure_monitor` is not: that would
instrument the web framework and HTTP clients by itself, and so record addresses with their queries
(the code and state of a sign-in, ids of conversations and people in those of the stores) and
exceptions with their words. It would also answer live metrics with samples of requests, and sample
by rate instead of by trace. What is observed is what `telemetry/names.py` lists, whichever packages
are installed.

Nothing of this room is imported unless the settings name a place to send to.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from time import sleep, time_ns
from typing import Any, Protocol, overload

from azure.core.credentials import AccessToken
from azure.core.settings import settings as azure_settings
from azure.monitor.opentelemetry.exporter import (
    AzureMonitorLogExporter,
    AzureMonitorMetricExporter,
    AzureMonitorTraceExporter,
)
from opentelemetry import _logs, metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.export import Sum as Counted
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    Decision,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import Attributes

from secure_openai import __version__
from secure_openai.credential import Credential
from secure_openai.envelopes import Envelopes
from secure_openai.environment import keep_within_the_estate
from secure_openai.outbound import Outbound
from secure_openai.settings import Settings
from secure_openai.telemetry import names
from secure_openai.telemetry.logs import ExportingHandler
from secure_openai.telemetry.metrics import summed
from secure_openai.telemetry.spans import drawn_trace_id, sampled
from secure_openai.telemetry.sums import Sum

logger = logging.getLogger(__name__)

SERVICE = "secure-openai"
SECONDS_BETWEEN_METRICS = 60.0
SECONDS_BETWEEN_TRACES = 15.0
"""Each sending takes 10 ms of the interpreter besides its spans; a full batch goes at once."""

TOKEN_SECONDS = 30.0
FLUSH_SECONDS = 10.0
READ_SECONDS = 10
SPANS_AT_ONCE = 8
POINTS_AT_ONCE = 4
PAUSE_SECONDS = 0.002
SAMPLE_RATE = "_MS.sampleRate"
"""In which attribute the exporter looks for the rate, in per cent."""

SENDING = frozenset({"azure", "opentelemetry", "requests", "urllib3"})
"""Whose messages are not sent: those of the sending itself would be without end."""


class _Sdk(Protocol):
    def force_flush(self, timeout_millis: int = ...) -> bool: ...
    def shutdown(self) -> None: ...


@asynccontextmanager
async def monitored(
    settings: Settings, credential: Credential, outbound: Outbound, *, log: bool = True
) -> AsyncIterator[None]:
    """Send what is observed to Azure Monitor until the block is left.

    Args:
        settings: Where to, and how much.
        credential: How we prove ourselves.
        outbound: The way out.
        log: Whether the log is sent too; false where this process's host sends it.
    """
    handler = ExportingHandler()
    handler.addFilter(lambda record: record.name.partition(".")[0] not in SENDING)
    root = logging.getLogger()
    sampler = WholeTraces(settings.trace_percent / 100)
    with summed() as take, sampled(sampler.keeps):
        providers = _start(settings, _OnLoop(credential), outbound, sampler, take)
        if log:
            root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)
            await _stop(providers)


def _start(
    settings: Settings, credential: _OnLoop, outbound: Outbound, sampler: Sampler, take: Take
) -> Sequence[_Sdk]:
    keep_within_the_estate()
    # Azure's clients would trace whole addresses where their environment asks for it.
    azure_settings.tracing_enabled = False
    how = _how(settings, credential, outbound)
    resource = Resource({"service.name": SERVICE, "service.version": __version__})
    tracing = TracerProvider(
        sampler=sampler,
        resource=resource,
        id_generator=DrawnIds(),
        # Their ends are ours to bound.
        shutdown_on_exit=False,
    )
    tracing.add_span_processor(
        BatchSpanProcessor(
            UnhurriedExporter(**how), schedule_delay_millis=SECONDS_BETWEEN_TRACES * 1000
        )
    )
    measuring = MeterProvider(
        [
            PeriodicExportingMetricReader(
                SummingExporter(take, resource, **how),
                export_interval_millis=SECONDS_BETWEEN_METRICS * 1000,
            )
        ],
        resource=resource,
        # Azure Monitor has no place for single measurements beside their sum.
        exemplar_filter=AlwaysOffExemplarFilter(),
        shutdown_on_exit=False,
    )
    logging_ = LoggerProvider(resource=resource, shutdown_on_exit=False)
    logging_.add_log_record_processor(BatchLogRecordProcessor(AzureMonitorLogExporter(**how)))
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(measuring)
    _logs.set_logger_provider(logging_)
    return tracing, measuring, logging_


class Unhurried(Sequence[ReadableSpan]):
    """Spans, a few of which are given at a time: whoever goes through them lets others go on.

    Args:
        spans: All of them.
    """

    def __init__(self, spans: Sequence[ReadableSpan]) -> None:
        self._spans = spans

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._spans)

    @overload
    def __getitem__(self, place: int) -> ReadableSpan: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[ReadableSpan]: ...
    def __getitem__(self, place: int | slice) -> ReadableSpan | Sequence[ReadableSpan]:
        """Return one of them, or several, at once."""
        return self._spans[place]

    def __iter__(self) -> Iterator[ReadableSpan]:
        """Yield them, with pauses."""
        for number, span in enumerate(self._spans, 1):
            yield span
            if number % SPANS_AT_ONCE == 0:
                sleep(PAUSE_SECONDS)


class UnhurriedExporter(AzureMonitorTraceExporter):
    """Sends spans without holding up requests, which wait while a batch has the interpreter."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        library = super()._span_to_envelope
        self._envelopes = Envelopes(lambda span: library(span).as_dict(exclude_readonly=True))

    def export(self, spans: Sequence[ReadableSpan], **options: Any) -> SpanExportResult:
        """Send."""
        return super().export(Unhurried(spans), **options)

    def _span_to_envelope(self, span: ReadableSpan) -> Any:
        """Return what is sent of a span; under another name the library makes it itself."""
        return self._envelopes.of(span)


Take = Callable[[], Sequence[tuple[names.Metric, Sequence[Sum]]]]
"""Takes the sums of what was measured since it was called last."""


class SummingExporter(AzureMonitorMetricExporter):
    """Sends what we have summed up with what the SDK has: gauges, which are asked for each time.

    Args:
        take: Takes our sums.
        resource: Who we are.
        how: As the exporter that is extended.
    """

    def __init__(self, take: Take, resource: Resource, **how: Any) -> None:
        super().__init__(**how)
        self._take = take
        self._resource = resource
        self._since = time_ns()
        self._points = 0

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **options: Any
    ) -> MetricExportResult:
        """Send; the gauge of the audit's queue always brings something to send with."""
        since, self._since = self._since, time_ns()
        found = [as_sent(*one, since, self._since) for one in self._take()]
        scope = ScopeMetrics(InstrumentationScope(names.SCOPE), found, "")
        ours = ResourceMetrics(self._resource, [scope], "")
        every = MetricsData([*metrics_data.resource_metrics, ours])
        return super().export(every, timeout_millis, **options)

    def _point_to_envelope(self, *point: Any, **options: Any) -> Any:
        """Return what is sent of a point, and let others go on after a few: each takes long."""
        self._points += 1
        if self._points % POINTS_AT_ONCE == 0:
            sleep(PAUSE_SECONDS)
        return super()._point_to_envelope(*point, **options)


def as_sent(metric: names.Metric, sums: Sequence[Sum], since: int, until: int) -> Metric:
    """Return sums as the SDK would have made them of the same measurements."""
    data: Histogram | Counted
    if metric.instrument is names.Instrument.COUNTER:
        numbers = [NumberDataPoint(one.told, since, until, one.total) for one in sums]
        data = Counted(numbers, AggregationTemporality.DELTA, is_monotonic=True)
    else:
        points = [
            HistogramDataPoint(
                attributes=one.told,
                start_time_unix_nano=since,
                time_unix_nano=until,
                count=one.count,
                sum=one.total,
                bucket_counts=tuple(one.buckets),
                explicit_bounds=metric.buckets,
                min=one.least,
                max=one.most,
            )
            for one in sums
        ]
        data = Histogram(points, AggregationTemporality.DELTA)
    return Metric(metric.name, metric.meaning, metric.unit, data)


class DrawnIds(RandomIdGenerator):
    """Gives a trace that was drawn, and found to be kept, its id."""

    def generate_trace_id(self) -> int:
        """Return it, or for any other trace any."""
        return drawn_trace_id()


class WholeTraces(Sampler):
    """Keeps all spans of a request or none.

    The first is decided by the id of the trace, which is random; those under it share its fate,
    without another thought. A span that is kept says the rate, by which Azure Monitor counts those
    that were not. Application Insights' SDKs put the id through a hash of their own before, so as
    to agree with each other about a trace that several see: ours are seen by nobody else.

    Args:
        ratio: How many of all traces to keep, 0 to 1.
    """

    def __init__(self, ratio: float) -> None:
        self._bound = TraceIdRatioBased.get_bound_for_rate(ratio)
        self._rate = ratio * 100

    def keeps(self, trace_id: int) -> bool:
        """Return whether a trace is kept."""
        return trace_id & TraceIdRatioBased.TRACE_ID_LIMIT < self._bound

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,  # noqa: ARG002 - the interface's
        kind: SpanKind | None = None,  # noqa: ARG002 - the same
        attributes: Attributes = None,
        *more: Any,  # noqa: ARG002 - the same
        **options: Any,  # noqa: ARG002 - the same
    ) -> SamplingResult:
        """Decide for one span."""
        parent = trace.get_current_span(parent_context).get_span_context()
        kept = parent.trace_flags.sampled if parent.is_valid else self.keeps(trace_id)
        if not kept:
            return SamplingResult(Decision.DROP)
        told = {**(attributes or {}), SAMPLE_RATE: self._rate}
        return SamplingResult(Decision.RECORD_AND_SAMPLE, told)

    def get_description(self) -> str:
        """Return what this is, for the SDK's own words."""
        return "WholeTraces"


def _how(settings: Settings, credential: _OnLoop, outbound: Outbound) -> dict[str, Any]:
    """Return how every exporter sends: with our credential, and by our way out.

    A credential that is given wins over APPLICATIONINSIGHTS_AUTHENTICATION_STRING, which would make
    one of the library's own; without any, the key in the connection string would be tried, which
    the estate's workspace refuses.
    """
    connection = settings.telemetry_connection_string
    proxy = outbound.proxy_for(settings.telemetry_url)
    return {
        "connection_string": connection,
        "credential": credential,
        # What cannot be sent is dropped: nothing is written beside the application.
        "disable_offline_storage": True,
        "use_env_settings": False,
        "proxies": {"https": proxy, "http": proxy} if proxy else {},
        "connection_verify": str(outbound.ca_bundle) if outbound.ca_bundle else True,
        "retry_total": 3,
        "read_timeout": READ_SECONDS,
    }


async def _stop(providers: Sequence[_Sdk]) -> None:
    """Send what waits, for as long as an end may wait for that.

    In a thread, since what is still sent asks this loop for a token; and in one that nobody has to
    wait for: the exporter tries again for minutes where the other side takes all and says nothing.
    """
    stopping = threading.Thread(target=_sent, args=(providers,), name="sending", daemon=True)
    stopping.start()
    await asyncio.to_thread(stopping.join, FLUSH_SECONDS)
    if stopping.is_alive():
        logger.warning("observations were dropped: Azure Monitor did not take them in time")


def _sent(providers: Sequence[_Sdk]) -> None:
    for provider in providers:
        provider.force_flush(int(FLUSH_SECONDS * 1000))
        provider.shutdown()


class _OnLoop:
    """Our asynchronous credential, for the threads in which exporters send."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self._loop = asyncio.get_running_loop()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token; raises what azure-identity raises, or TimeoutError."""
        asking = asyncio.run_coroutine_threadsafe(
            self._credential.get_token(*scopes, **options), self._loop
        )
        return asking.result(TOKEN_SECONDS)
