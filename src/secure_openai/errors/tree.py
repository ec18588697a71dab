"""The root of the tree."""

from __future__ import annotations

from typing import ClassVar


class SecureOpenAIError(Exception):
    """The root of the tree.

    Attributes:
        status: HTTP status.
        slug: Last part of the problem type, stable.
        title: What kind of problem it is, the same for every occurrence (RFC 9457, 3.1.3).
        detail: What happened this time and what to do about it.
        retry_after: Seconds to wait, where waiting helps.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.retry_after = retry_after

    @property
    def http_status(self) -> int:
        """Return the status of this occurrence."""
        return self.status

    @property
    def problem(self) -> str:
        """Return what this occurrence is called: the slug, or the reason of a refusal."""
        return self.slug

    @property
    def problem_type(self) -> str:
        """Return the problem type as a URI (RFC 9457, 3.1.1)."""
        return f"urn:secure-openai:problem:{self.problem}"
