"""Everything that is observed, by name: metrics, spans, attributes and fields of the log.

Names are those of OpenTelemetry's semantic conventions wherever these have one: HTTP and databases
(stable), generative AI (in development; the repository `semantic-conventions-genai`). We are a
client of the models, so theirs are the `gen_ai.client` metrics and not those of model servers.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

SCOPE = "secure_openai"
"""The instrumentation scope."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Buckets that the conventions advise for HTTP."""

MODEL_SECONDS = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
)
"""Buckets that the conventions advise for operations of models."""

TOKENS = tuple(4**power for power in range(14))
"""Buckets that the conventions advise for tokens."""

JOB_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 1800)
"""Buckets up to what a Function App's host lets a job run."""

SLOW_SECONDS = 0.05
"""What an operation of a store takes before a trace shows it; its metric shows all."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a measurement or a span is told apart by.

    Attributes:
        name: As it is sent.
        meaning: What it says.
        bound: Why it has few values.
    """

    name: str
    meaning: str
    bound: str


METHOD = Attribute("http.request.method", "Method of the request", "HTTP's own; others: `_OTHER`")
ROUTE = Attribute("http.route", "Template of the address, never the address", "our routes")
STATUS = Attribute("http.response.status_code", "Status", "HTTP's own")
ERROR = Attribute("error.type", "Slug of the problem, or class of a fault", "`errors/`")
OPERATION = Attribute("gen_ai.operation.name", "What is asked of a model", "`chat`, `embeddings`")
PROVIDER = Attribute(
    "gen_ai.provider.name", "Who answers", "`azure.ai.openai`, `openai_compatible`, `scripted`"
)
DEPLOYMENT = Attribute(
    "gen_ai.request.model", "The deployment", "those served; any other name: `unknown`"
)
STREAM = Attribute("gen_ai.request.stream", "Whether the answer is streamed", "two")
TOKEN_TYPE = Attribute("gen_ai.token.type", "Which tokens are counted", "`input`, `output`")
INPUT_TOKENS = Attribute("gen_ai.usage.input_tokens", "Tokens of the prompt", "spans only")
OUTPUT_TOKENS = Attribute("gen_ai.usage.output_tokens", "Tokens of the answer", "spans only")
FINISH = Attribute("gen_ai.response.finish_reasons", "Why the answer ended", "OpenAI's; `other`")
ESTIMATED = Attribute(
    "secure_openai.estimated", "Whether tokens were estimated, not reported", "two"
)
DECISION = Attribute("secure_openai.decision", "What policy decided", "`allowed`, `refused`")
REASON = Attribute("secure_openai.reason", "The rule that decided", "`types.Reason`")
KIND = Attribute(
    "secure_openai.principal.kind", "Who asks, and no more", "person, application, on_behalf"
)
MEMBER = Attribute("secure_openai.member", "Member of the pool of accounts", "the accounts")
SYSTEM = Attribute("db.system.name", "Which database", "`sqlite`, `azure.cosmosdb`")
COLLECTION = Attribute(
    "db.collection.name",
    "Which store",
    "audit, conversations, holds, notes, personal, requests, sessions, usage",
)
QUERY = Attribute("db.operation.name", "Which operation of the store", "our interfaces' methods")
REGION = Attribute("cloud.region", "Region of Azure", "the accounts' regions")
JOB = Attribute("secure_openai.job.name", "Which job", "those of `tables/jobs.json`")
QUOTA = Attribute("secure_openai.quota.name", "Azure's name of a quota", "quotas that are in use")


class Instrument(enum.StrEnum):
    """How a metric is measured."""

    HISTOGRAM = "histogram"
    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric.

    Attributes:
        name: As it is sent.
        instrument: How it is measured.
        unit: In UCUM.
        meaning: What it says.
        attributes: What it is told apart by, at most.
        buckets: Boundaries of a histogram.
    """

    name: str
    instrument: Instrument
    unit: str
    meaning: str
    attributes: tuple[Attribute, ...] = ()
    buckets: tuple[float, ...] = ()


REQUEST_DURATION = Metric(
    "http.server.request.duration",
    Instrument.HISTOGRAM,
    "s",
    "Requests to us, to the last byte of the answer; its count is the number of requests",
    (METHOD, ROUTE, STATUS, ERROR),
    SECONDS,
)
DECISIONS = Metric(
    "secure_openai.decisions",
    Instrument.COUNTER,
    "{decision}",
    "Requests that policy and quota admitted or refused, by reason",
    (DECISION, REASON, DEPLOYMENT, KIND),
)
TOKEN_USAGE = Metric(
    "gen_ai.client.token.usage",
    Instrument.HISTOGRAM,
    "{token}",
    "Tokens charged for a completion; its sum is the number of tokens",
    (OPERATION, PROVIDER, DEPLOYMENT, TOKEN_TYPE, ESTIMATED),
    TOKENS,
)
OPERATION_DURATION = Metric(
    "gen_ai.client.operation.duration",
    Instrument.HISTOGRAM,
    "s",
    "Completions, from the request to the model to the end of its answer",
    (OPERATION, PROVIDER, DEPLOYMENT, MEMBER, ERROR),
    MODEL_SECONDS,
)
FIRST_CHUNK = Metric(
    "gen_ai.client.operation.time_to_first_chunk",
    Instrument.HISTOGRAM,
    "s",
    "Streamed completions, from the request to the model to the first event of its answer",
    (OPERATION, PROVIDER, DEPLOYMENT, MEMBER),
    MODEL_SECONDS,
)
FAILED_ATTEMPTS = Metric(
    "secure_openai.pool.failed_attempts",
    Instrument.COUNTER,
    "{attempt}",
    "Members of the pool that were asked and did not answer",
    (MEMBER, ERROR),
)
POOL_ASKED = Metric(
    "secure_openai.pool.asked",
    Instrument.GAUGE,
    "1",
    "1 where a member of the pool is asked for a deployment, 0 where it rests or is cut off",
    (MEMBER, DEPLOYMENT),
)
POOL_UNDER_WAY = Metric(
    "secure_openai.pool.under_way",
    Instrument.GAUGE,
    "{request}",
    "Requests that a member of the pool is answering",
    (MEMBER, DEPLOYMENT),
)
QUOTA_LEFT = Metric(
    "secure_openai.quota.left",
    Instrument.GAUGE,
    "1",
    "What a region's quota has left, in the unit of its SKU; as read at most 15 minutes ago",
    (REGION, QUOTA),
)
AUDIT_QUEUED = Metric(
    "secure_openai.audit.queued",
    Instrument.GAUGE,
    "{record}",
    "Audit records that wait to be written",
)
STORE_DURATION = Metric(
    "db.client.operation.duration",
    Instrument.HISTOGRAM,
    "s",
    "Operations of the stores",
    (SYSTEM, COLLECTION, QUERY, ERROR),
    (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
)
JOB_DURATION = Metric(
    "secure_openai.job.duration",
    Instrument.HISTOGRAM,
    "s",
    "Runs of jobs; one that did not end well, or left something undone, has an error",
    (JOB, ERROR),
    JOB_SECONDS,
)
METRICS = (
    REQUEST_DURATION,
    DECISIONS,
    TOKEN_USAGE,
    OPERATION_DURATION,
    FIRST_CHUNK,
    FAILED_ATTEMPTS,
    POOL_ASKED,
    POOL_UNDER_WAY,
    QUOTA_LEFT,
    AUDIT_QUEUED,
    STORE_DURATION,
    JOB_DURATION,
)


@dataclass(frozen=True, slots=True)
class SpanShape:
    """A span.

    Attributes:
        name: As it is sent; a part in braces is that attribute's value.
        meaning: What takes its time.
        attributes: What it says, at most.
    """

    name: str
    meaning: str
    attributes: tuple[Attribute, ...]


REQUEST_SPAN = SpanShape(
    "{http.request.method} {http.route}",
    "The edge: a request to us, to the last byte of the answer",
    (METHOD, ROUTE, STATUS, ERROR),
)
ADMIT_SPAN = SpanShape(
    "admit",
    "Policy: the decision, with quota reserved and the record queued",
    (DECISION, REASON, DEPLOYMENT, KIND, ERROR),
)
MODEL_SPAN = SpanShape(
    "{gen_ai.operation.name} {gen_ai.request.model}",
    "The model: from the request to the end of its answer",
    (
        *(OPERATION, PROVIDER, DEPLOYMENT, STREAM, MEMBER),
        *(INPUT_TOKENS, OUTPUT_TOKENS, ESTIMATED, FINISH, ERROR),
    ),
)
STORE_SPAN = SpanShape(
    "{db.operation.name} {db.collection.name}",
    f"A store: one operation of it that failed, or took {SLOW_SECONDS * 1000:g} ms or more",
    (SYSTEM, COLLECTION, QUERY, ERROR),
)
JOB_SPAN = SpanShape("job {secure_openai.job.name}", "A run of a job", (JOB, ERROR))
SPANS = (REQUEST_SPAN, ADMIT_SPAN, MODEL_SPAN, STORE_SPAN, JOB_SPAN)


@dataclass(frozen=True, slots=True)
class LogField:
    """A field of a line of the log.

    Attributes:
        name: As it is written.
        meaning: What it says.
    """

    name: str
    meaning: str


LOG_FIELDS = (
    LogField("time", "When, UTC, to the millisecond"),
    LogField("level", "`DEBUG` to `CRITICAL`"),
    LogField("logger", "Module that says it"),
    LogField("message", "What it says; a library's own words are replaced by where it said them"),
    LogField("request_id", "The number that the error page and the audit show: the trace's id"),
    LogField("span_id", "The span that was under way"),
    LogField("exception", "Class of an exception, never its words: they may quote what was typed"),
    LogField("stack", "Where it came from: file, line and function of each frame"),
)


def allowed(attributes: tuple[Attribute, ...]) -> frozenset[str]:
    """Return the names of attributes."""
    return frozenset(one.name for one in attributes)
