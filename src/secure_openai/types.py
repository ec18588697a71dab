"""The vocabulary that every other module imports.

One term per idea: a *principal* asks, the *policy* allows, a *decision* carries its reason, a
*deployment* answers, and what was said is kept as *messages* of a *conversation*.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, NewType, TypeAlias, TypeVar

T = TypeVar("T")

JsonObject: TypeAlias = dict[str, Any]
Clock: TypeAlias = Callable[[], datetime]
ConversationId = NewType("ConversationId", str)
MessageId = NewType("MessageId", str)
ReservationId = NewType("ReservationId", str)


def utc_now() -> datetime:
    """Return the current time, aware, in UTC. Pass another `Clock` where a test needs one."""
    return datetime.now(UTC)


class PrincipalKind(enum.StrEnum):
    """Who asks: a person, an application, or an application on behalf of a person."""

    PERSON = "person"
    APPLICATION = "application"
    ON_BEHALF = "on_behalf"


PEOPLE_ROLES = frozenset({"user", "admin"})
"""The application roles that a person may hold."""

APPLICATION_ROLES = frozenset({"service"})
"""The application roles that an application may hold; `admin` is none of them."""

ON_BEHALF_ROLES = frozenset({"user"})
"""The application roles that reach an application which asks on behalf of who holds them: nobody
administers through somebody else's application."""


@dataclass(frozen=True, slots=True, order=True)
class PrincipalId:
    """Who a principal is: the tenant and the object id in it, never a name and never `sub`.

    Source: Microsoft identity platform, "Access token claims reference": `oid` with `tid` is the
    immutable identifier of a principal across applications.
    """

    tid: str
    oid: str

    @property
    def key(self) -> str:
        """Return `tid/oid`: the partition key of everything a principal owns."""
        return f"{self.tid}/{self.oid}"

    @classmethod
    def parse(cls, key: str) -> PrincipalId:
        """Read `tid/oid` back.

        Raises:
            ValueError: `key` is not two non-empty parts joined by one slash.
        """
        tid, slash, oid = key.partition("/")
        if not (tid and slash and oid) or "/" in oid:
            raise ValueError("a principal is written tid/oid")
        return cls(tid, oid)


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or an application that has proved who it is.

    Attributes:
        id: Tenant and object id.
        kind: A person, an application, or an application on behalf of a person; the id is the
            person's then.
        roles: Application roles as the identity provider granted them.
        name: Display name, for pages only.
        username: `preferred_username`, for pages only.
        client_id: `azp`: the client that obtained the token, where there is one.
    """

    id: PrincipalId
    kind: PrincipalKind
    roles: frozenset[str]
    name: str | None = None
    username: str | None = None
    client_id: str | None = None


class Reason(enum.StrEnum):
    """Why a request was admitted or refused; written to the audit record and shown to people."""

    ADMITTED = "admitted"
    NO_ROLE = "no_role"
    UNKNOWN_DEPLOYMENT = "unknown_deployment"
    DEPLOYMENT_NOT_ALLOWED = "deployment_not_allowed"
    OPERATION_NOT_TAKEN = "operation_not_taken"
    FIELD_NOT_ALLOWED = "field_not_allowed"
    PROMPT_TOO_LARGE = "prompt_too_large"
    ANSWER_TOO_LARGE = "answer_too_large"
    REQUESTS_PER_MINUTE = "requests_per_minute"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    REQUESTS_PER_DAY = "requests_per_day"
    TOKENS_PER_DAY = "tokens_per_day"
    CONCURRENT_STREAMS = "concurrent_streams"
    AUDIT_UNAVAILABLE = "audit_unavailable"


class Standing(NamedTuple):
    """How a principal stands with a deployment in the current UTC minute.

    Attributes:
        limit_requests: Requests allowed in it.
        remaining_requests: Of those, left in the minute and in the day, whichever is less.
        limit_tokens: Tokens allowed in it.
        remaining_tokens: Of those, left in the minute and in the day, whichever is less.
        reset_requests_seconds: Until there are more requests: the minute turns, or the day does
            where less is left of it.
        reset_tokens_seconds: The same of tokens.
    """

    limit_requests: int
    remaining_requests: int
    limit_tokens: int
    remaining_tokens: int
    reset_requests_seconds: float
    reset_tokens_seconds: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or refused, always with the reason.

    Attributes:
        allowed: Whether the request may go on.
        reason: The rule that decided.
        detail: One sentence for the person who asked; never prompt text.
        retry_after: Seconds until the same request may be admitted, where waiting helps.
        pointer: JSON pointer (RFC 6901) to the member refused, where it is one.
        standing: How the principal stands, where quota decided.
    """

    allowed: bool
    reason: Reason
    detail: str
    retry_after: float | None = None
    pointer: str | None = None
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a role may use of one deployment; `None` nowhere: every limit is stated.

    Attributes:
        requests_per_minute: Requests in one UTC minute.
        requests_per_day: Requests in one UTC day.
        tokens_per_minute: Prompt and answer tokens in one UTC minute.
        tokens_per_day: Prompt and answer tokens in one UTC day.
        prompt_tokens: Largest prompt, estimated.
        answer_tokens: Largest answer asked for, over all choices.
        concurrent_streams: Requests in flight at once.
    """

    requests_per_minute: int
    requests_per_day: int
    tokens_per_minute: int
    tokens_per_day: int
    prompt_tokens: int
    answer_tokens: int
    concurrent_streams: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a completion took, as the model reported them or as we estimated them."""

    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Return prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


class Operation(enum.StrEnum):
    """What is asked of a deployment: the last part of its address in OpenAI's API."""

    CHAT_COMPLETIONS = "chat/completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a deployment takes: a reasoning model refuses some of what others need.

    Attributes:
        window_tokens: Context window, prompt and answer together.
        answer_tokens: Largest answer the model gives.
        prompt_tokens: Largest prompt, where the model takes less than its window.
        max_tokens_field: Name of the field that bounds the answer of a chat completion.
        refused: Fields of a chat completion that the model does not accept.
        reasoning_effort: The accepted values of `reasoning_effort`; empty where it is refused.
        operations: What may be asked.
        images: Whether it reads images.
    """

    window_tokens: int = 8192
    answer_tokens: int = 1024
    prompt_tokens: int | None = None
    max_tokens_field: str = "max_completion_tokens"
    refused: frozenset[str] = frozenset()
    reasoning_effort: tuple[str, ...] = ()
    operations: frozenset[Operation] = frozenset({Operation.CHAT_COMPLETIONS})
    images: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model made available under a name.

    Attributes:
        name: What requests say in `model`.
        model: The model behind it, for people to read.
        parameters: What it takes.
    """

    name: str
    model: str
    parameters: Parameters = field(default_factory=Parameters)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who was asked for an answer and did not give one.

    Attributes:
        member: Which member of a pool.
        outcome: The slug of what went wrong.
        billable: Whether Azure may bill it: the request had been sent in full.
    """

    member: str
    outcome: str
    billable: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the content filter found of one category.

    Attributes:
        source: `prompt` or `answer`.
        category: As Azure OpenAI names it: `hate`, `jailbreak`, `violence` …
        severity: `low`, `medium` or `high`, where the category has one.
        filtered: Whether it was stopped.
    """

    source: str
    category: str
    severity: str | None
    filtered: bool


class CircuitState(enum.StrEnum):
    """Whether a member of a pool is asked."""

    CLOSED = "closed"
    RESTING = "resting"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class MemberHealth:
    """How one member of a pool does with one deployment.

    Attributes:
        member: Which one.
        deployment: Which deployment of it.
        priority: Its turn, smallest first.
        state: Asked (`closed`), asked after the others (`resting`), not asked (`open`), or asked
            by one request a second to see whether it is back (`half_open`).
        seconds: Until it is asked again; 0 where it is.
        reason: The slug of its last failure since it last answered.
        failures: How many in a row.
        under_way: Requests that it is answering.
    """

    member: str
    deployment: str
    priority: int
    state: CircuitState
    seconds: float
    reason: str | None
    failures: int
    under_way: int


class Author(enum.StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"


class MessageStatus(enum.StrEnum):
    """How a message stands.

    `STREAMING` holds only while its lease does: see `Message.status_at`.
    """

    COMPLETE = "complete"
    STREAMING = "streaming"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message; its bytes lie elsewhere.

    Attributes:
        id: Unguessable.
        name: What its owner calls it: no path, for people to read.
        type: Its media type, as its bytes say.
        size: In bytes.
        tokens: About how many it takes in a prompt.
    """

    id: str
    name: str
    type: str
    size: int
    tokens: int

    @property
    def is_image(self) -> bool:
        """Return whether only a deployment that reads images can read it."""
        return self.type.startswith("image/")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        id: Unguessable identifier, unique in the store.
        conversation_id: The conversation it belongs to.
        author: Who wrote it.
        text: What was said; empty for an answer that has not begun.
        created: When it was stored, aware UTC.
        status: As last written; read it through `status_at`.
        lease_expires: While streaming, when the answer counts as cut off.
        deployment: The deployment that answered.
        usage: Tokens of the answer, once settled.
        finish_reason: `stop`, `length`, `content_filter` … as the model said.
        note: One sentence for the reader: why it stopped, or what was left out of the window.
        attachments: The files that were sent with it.
        instruction: Of a question, the saved instruction that it was asked with, by its id.
        parent: The message that it follows, of the same conversation; `None` for a first one.
            Those that follow the same one are siblings, and each begins a branch.
        etag: Changes with every write.
    """

    id: MessageId
    conversation_id: ConversationId
    author: Author
    text: str
    created: datetime
    status: MessageStatus = MessageStatus.COMPLETE
    lease_expires: datetime | None = None
    deployment: str | None = None
    usage: Usage | None = None
    finish_reason: str | None = None
    note: str | None = None
    attachments: tuple[Attachment, ...] = ()
    instruction: str | None = None
    parent: MessageId | None = None
    etag: str = ""

    def status_at(self, now: datetime) -> MessageStatus:
        """Return the status, with a stream whose lease ran out read as interrupted.

        A process that dies cannot mark its answers; the lease it stopped renewing does.
        """
        lapsed = self.lease_expires is None or self.lease_expires <= now
        if self.status is MessageStatus.STREAMING and lapsed:
            return MessageStatus.INTERRUPTED
        return self.status


@dataclass(frozen=True, slots=True)
class Conversation:
    """A titled tree of messages that one principal owns.

    Attributes:
        titled: Whether somebody gave it its title; until then it titles itself.
        pinned: Whether its owner keeps it at the top.
        discarded: Since when it is deleted for its owner, who may have it back for a while.
    """

    id: ConversationId
    owner: PrincipalId
    title: str
    created: datetime
    updated: datetime
    titled: bool = True
    pinned: bool = False
    discarded: datetime | None = None
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list, and where the rest begins.

    Attributes:
        items: At most as many as were asked for.
        continuation: Opaque; `None` at the end.
    """

    items: Sequence[T]
    continuation: str | None = None
