"""What is wrong with a request."""

from __future__ import annotations

from secure_openai.errors.tree import SecureOpenAIError


class RequestError(SecureOpenAIError):
    """The request itself is wrong.

    Attributes:
        pointer: JSON pointer (RFC 6901) to the member at fault, where there is one.
    """

    status = 400
    slug = "bad-request"
    title = "The request is not valid"

    def __init__(self, detail: str = "", *, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.pointer = pointer


class NotFound(RequestError):
    """It does not exist, or it belongs to someone else: the two are never told apart."""

    status = 404
    slug = "not-found"
    title = "Not found"


class MethodNotAllowed(RequestError):
    """The address takes other methods (RFC 9110, 15.5.6)."""

    status = 405
    slug = "method-not-allowed"
    title = "This address does not take this method"


class RequestTimeout(RequestError):
    """The request did not arrive in time (RFC 9110, 15.5.9)."""

    status = 408
    slug = "request-timeout"
    title = "The request took too long to arrive"


class Conflict(RequestError):
    """What was asked for does not go with what is kept as it stands."""

    status = 409
    slug = "conflict"
    title = "It cannot be done as things stand"


class LegalHold(RequestError):
    """An administrator's hold keeps what was to be deleted."""

    status = 409
    slug = "legal-hold"
    title = "A legal hold keeps this"


class LimitReached(RequestError):
    """Whoever asks keeps as much of this as anyone may."""

    status = 409
    slug = "limit-reached"
    title = "There is no room for more of these"


class PreconditionFailed(RequestError):
    """The item changed since it was read (RFC 9110, 13.1.1)."""

    status = 412
    slug = "precondition-failed"
    title = "It was changed by someone else meanwhile"


class TooLarge(RequestError):
    """The body is over the limit."""

    status = 413
    slug = "too-large"
    title = "The request is too large"


class UnsupportedMediaType(RequestError):
    """The body is not of a type that the route reads."""

    status = 415
    slug = "unsupported-media-type"
    title = "The body is not of a type that is read here"


class TooManyRequests(RequestError):
    """Whoever asks has more under way, or asked more often, than is good for the others.

    Source: RFC 6585, 4.

    Attributes:
        limit: How many such requests they may have under way, or make in the time it is about.
    """

    status = 429
    slug = "too-many-requests"
    title = "Too many requests at once"

    def __init__(self, detail: str = "", *, retry_after: float, limit: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.limit = limit
