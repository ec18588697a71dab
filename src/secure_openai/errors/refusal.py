"""What policy or quota refuses."""

from __future__ import annotations

from secure_openai.errors.tree import SecureOpenAIError
from secure_openai.types import Decision, Reason


class Refused(SecureOpenAIError):
    """Policy refused the request before the model was called.

    Attributes:
        decision: The refusal with its reason.
    """

    slug = "refused"
    title = "Policy does not allow this request"

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.detail, retry_after=decision.retry_after)
        self.decision = decision

    @property
    def http_status(self) -> int:
        """Return the status that fits the reason; 429 is for what waiting helps with."""
        reason = self.decision.reason
        if self.decision.retry_after is None and reason in _NEVER_STATUS:
            return _NEVER_STATUS[reason]
        return _REFUSAL_STATUS.get(reason, 403)

    @property
    def problem(self) -> str:
        """Return the reason."""
        return self.decision.reason.replace("_", "-")


_REFUSAL_STATUS = {
    Reason.UNKNOWN_DEPLOYMENT: 404,
    Reason.OPERATION_NOT_TAKEN: 400,
    Reason.FIELD_NOT_ALLOWED: 400,
    Reason.PROMPT_TOO_LARGE: 413,
    Reason.ANSWER_TOO_LARGE: 400,
    Reason.REQUESTS_PER_MINUTE: 429,
    Reason.TOKENS_PER_MINUTE: 429,
    Reason.REQUESTS_PER_DAY: 429,
    Reason.TOKENS_PER_DAY: 429,
    Reason.CONCURRENT_STREAMS: 429,
    Reason.AUDIT_UNAVAILABLE: 503,
}

_NEVER_STATUS = {
    Reason.REQUESTS_PER_MINUTE: 403,
    Reason.TOKENS_PER_MINUTE: 413,
    Reason.REQUESTS_PER_DAY: 403,
    Reason.TOKENS_PER_DAY: 413,
    Reason.CONCURRENT_STREAMS: 403,
}
"""What is over a limit however long one waits: a request larger than it, or a limit of nothing."""
