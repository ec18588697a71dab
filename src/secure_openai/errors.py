"""The exceptions of the framework, each with its HTTP status and problem type.

    SecureOpenAIError
    ├── ConfigurationError              the process does not start
    │   ├── SettingsError
    │   ├── PolicyError
    │   ├── AppearanceError
    │   ├── StartError                  a taken port, a missing model, an unwritable folder
    │   ├── DeliveryError               what cannot be packaged, copied or deployed
    │   └── ProofError                  what cannot be read as an estate
    │       └── AssumptionError         a file of assumptions or of accepted findings
    ├── RequestError                    400  what was sent is wrong
    │   ├── NotFound                    404
    │   ├── MethodNotAllowed            405
    │   ├── RequestTimeout              408
    │   ├── Conflict                    409  it cannot be done as things stand
    │   ├── LegalHold                   409  it is kept, whoever wants it gone
    │   ├── LimitReached                409  one keeps as much as one may
    │   ├── PreconditionFailed          412
    │   ├── TooLarge                    413
    │   ├── UnsupportedMediaType        415
    │   └── TooManyAtOnce               429  one's own requests are in each other's way
    ├── IdentityError
    │   ├── Unauthenticated             401
    │   ├── SignInFailed                400
    │   ├── IdentityProviderUnavailable 503
    │   ├── Forbidden                   403
    │   └── NoticeNotAccepted           403  a person who has to read something first
    ├── CredentialUnavailable           503  we cannot prove ourselves to Azure
    ├── Refused                         403, 413 or 429 by its decision
    ├── ModelError                      502
    │   ├── ContentFiltered             400
    │   ├── DeploymentMissing           404  it was deployed once, or never
    │   │   └── DeploymentRetired       410  Azure retired its model
    │   ├── DeploymentTooSmall          413  for this request, however long one waits
    │   ├── ModelForbidden              502  our own credential is refused
    │   ├── ModelThrottled              429
    │   ├── ModelRejected               400  the model refuses the request itself
    │   │   └── WindowExceeded          400
    │   ├── ModelTimeout                504
    │   ├── AnswerCutOff                503  this process ends before the answer does
    │   └── ModelUnavailable            503
    │       └── CredentialMissing       503  there is no token to send
    ├── GatewayError                    502  as the terminal's client meets it
    ├── ManagementError                 502  Azure Resource Manager did not do it
    │   ├── RoleMissing                 502  our identity lacks a role there
    │   ├── DeploymentRejected          400  not offered, retired, or not as asked
    │   ├── NotManaged                  409  deployments do not change here
    │   ├── QuotaInsufficient           409
    │   ├── ManagementConflict          409
    │   ├── ManagementThrottled         429
    │   └── ManagementUnavailable       503
    ├── TooMany                         429  requests of one principal: wait for their turn
    ├── Overloaded                      503  too much at once: another time, or another process
    ├── Stopping                        503  this process ends: another one may answer
    └── StoreError                      503
        ├── AlreadyStored
        ├── AuditUnavailable
        ├── OutcomeUnknown
        └── StorageFull                 507

Every foreign exception is translated into this tree by the adapter that meets it. `detail` is
written for the person who asked: it never carries a secret, a prompt, an answer or our insides.
"""

from __future__ import annotations

from typing import ClassVar

from secure_openai.types import Attempt, Decision, Reason, Verdict


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


class ConfigurationError(SecureOpenAIError):
    """The process cannot start as it is configured.

    Attributes:
        problems: Every problem found, each one sentence that says what to write instead.
    """

    slug = "configuration"
    title = "The configuration is not usable"

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SettingsError(ConfigurationError):
    """A setting is missing, contradictory or out of range."""


class PolicyError(ConfigurationError):
    """The policy file is not usable; each problem begins with its line number."""


class AppearanceError(ConfigurationError):
    """The appearance file is not usable; each problem begins with its line number."""


class StartError(ConfigurationError):
    """Something that the process needs from the machine is not there."""


class DeliveryError(ConfigurationError):
    """Something cannot be packaged, copied from a template, or deployed."""


class ProofError(ConfigurationError):
    """What was given to prove cannot be read as an estate."""


class AssumptionError(ProofError):
    """A file of assumptions or of accepted findings is not usable."""


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


class TooManyAtOnce(RequestError):
    """Whoever asks has as much under way as anyone may (RFC 6585, 4)."""

    status = 429
    slug = "too-many-at-once"
    title = "You have too much under way at once"

    def __init__(self, detail: str = "", *, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class IdentityError(SecureOpenAIError):
    """Who asks is unknown, or may not."""


class Unauthenticated(IdentityError):
    """No credential, or one that does not hold (RFC 6750, 3.1).

    `detail` names the rule that failed, never the token.
    """

    status = 401
    slug = "unauthenticated"
    title = "Sign in first"


class SignInFailed(IdentityError):
    """The answer of the identity provider does not belong to a sign-in that began here."""

    status = 400
    slug = "sign-in-failed"
    title = "The sign-in did not succeed"


class IdentityProviderUnavailable(IdentityError):
    """The identity provider cannot be reached, or does not answer as one."""

    status = 503
    slug = "identity-provider-unavailable"
    title = "The sign-in service cannot be reached"


class Forbidden(IdentityError):
    """The principal is known and its roles do not reach."""

    status = 403
    slug = "forbidden"
    title = "Your roles do not allow this"


class NoticeNotAccepted(IdentityError):
    """A person has not accepted the notice that the organisation puts before first use."""

    status = 403
    slug = "notice-not-accepted"
    title = "Accept the notice first"


class CredentialUnavailable(SecureOpenAIError):
    """We cannot prove ourselves to Azure: there is no token, and none can be had."""

    status = 503
    slug = "credential-unavailable"
    title = "We cannot prove ourselves to Azure"


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
        """Return the status that fits the reason."""
        return _REFUSAL_STATUS.get(self.decision.reason, 403)

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


class ModelError(SecureOpenAIError):
    """The model failed after the request was admitted.

    Attributes:
        billable: Whether Azure may bill what failed: the request had been sent in full.
        attempts: Who was asked before, in a pool.
    """

    status = 502
    slug = "model-failed"
    title = "The model failed"

    def __init__(
        self, detail: str = "", *, retry_after: float | None = None, billable: bool = False
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.billable = billable
        self.attempts: tuple[Attempt, ...] = ()


class ContentFiltered(ModelError):
    """The content filter blocked the prompt.

    Attributes:
        categories: The categories that blocked it, as Azure OpenAI names them
            (`hate`, `jailbreak`, `self_harm`, `sexual`, `violence` …).
        verdicts: Everything that the filter found, for the audit.
    """

    status = 400
    slug = "content-filtered"
    title = "The content filter blocked the prompt"

    def __init__(
        self,
        detail: str = "",
        *,
        categories: tuple[str, ...] = (),
        verdicts: tuple[Verdict, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.categories = categories
        self.verdicts = verdicts


class DeploymentMissing(ModelError):
    """The deployment is not there, though the settings name it."""

    status = 404
    slug = "deployment-missing"
    title = "The deployment does not exist"


class DeploymentRetired(DeploymentMissing):
    """Azure has retired the deployment's model."""

    status = 410
    slug = "deployment-retired"
    title = "The deployment's model was retired"


class DeploymentTooSmall(ModelError):
    """The deployment's capacity is smaller than this one request: waiting does not help."""

    status = 413
    slug = "deployment-too-small"
    title = "The deployment is too small for this request"


class ModelForbidden(ModelError):
    """The model refuses our own credential, not the caller's."""

    slug = "model-forbidden"
    title = "The model refuses this application"


class ModelRejected(ModelError):
    """The model does not accept the request: a parameter it refuses."""

    status = 400
    slug = "model-rejected"
    title = "The model does not accept this request"


class WindowExceeded(ModelRejected):
    """Prompt and answer are larger than the model's window.

    The slug is OpenAI's own code, so that clients' handling works.
    """

    slug = "context-length-exceeded"
    title = "The request is larger than the model's window"


class ModelThrottled(ModelError):
    """The model is over its own quota."""

    status = 429
    slug = "model-throttled"
    title = "The model is busy"


class ModelTimeout(ModelError):
    """The model did not answer in time."""

    status = 504
    slug = "model-timeout"
    title = "The model did not answer in time"


class ModelUnavailable(ModelError):
    """The model cannot be reached."""

    status = 503
    slug = "model-unavailable"
    title = "The model cannot be reached"


class CredentialMissing(ModelUnavailable):
    """There is no credential to send: it is not the model that is away."""

    slug = "credential-missing"
    title = "We cannot prove ourselves to the model"


class AnswerCutOff(ModelError):
    """This process ends, and the answer had not: the model may have done all of its work."""

    status = 503
    slug = "cut-off"
    title = "The server stopped before the answer ended"


class GatewayError(SecureOpenAIError):
    """The gateway, asked from a terminal, refused, failed, or cannot be reached."""

    status = 502
    slug = "gateway-failed"
    title = "The gateway did not answer"


class ManagementError(SecureOpenAIError):
    """Deployments could not be read or changed."""

    status = 502
    slug = "management-failed"
    title = "Azure did not do what was asked"


class RoleMissing(ManagementError):
    """The identity that asks Azure lacks a role: ours, not that of whoever asked us.

    Attributes:
        action: The action that the role would allow, as Azure names it; empty if it does not.
    """

    slug = "role-missing"
    title = "A role is missing in Azure"

    def __init__(self, detail: str = "", *, action: str = "") -> None:
        super().__init__(detail)
        self.action = action


class DeploymentRejected(ManagementError):
    """There can be no such deployment: the model is not offered so, or it is retired."""

    status = 400
    slug = "deployment-rejected"
    title = "There can be no such deployment"


class NotManaged(ManagementError):
    """The deployments of this system do not change by asking."""

    status = 409
    slug = "not-managed"
    title = "Deployments do not change here"


class QuotaInsufficient(ManagementError):
    """The region's quota has too little left."""

    status = 409
    slug = "quota-insufficient"
    title = "The quota does not suffice"


class ManagementConflict(ManagementError):
    """The deployment is there already, or the account is busy."""

    status = 409
    slug = "management-conflict"
    title = "It cannot be done as things stand"


class ManagementThrottled(ManagementError):
    """Azure Resource Manager was asked too often."""

    status = 429
    slug = "management-throttled"
    title = "Azure was asked too often"


class ManagementUnavailable(ManagementError):
    """Azure Resource Manager cannot be reached, or does not answer in time."""

    status = 503
    slug = "management-unavailable"
    title = "Azure cannot be asked now"


class TooMany(SecureOpenAIError):
    """Whoever asks has more under way, or asked more often, than is good for the others."""

    status = 429
    slug = "too-many-requests"
    title = "Too many requests at once"


class Overloaded(SecureOpenAIError):
    """This process has as much to do as it carries."""

    status = 503
    slug = "overloaded"
    title = "The server has too much to do"


class Stopping(SecureOpenAIError):
    """This process ends what is under way, and begins nothing."""

    status = 503
    slug = "stopping"
    title = "The server is stopping"


class StoreError(SecureOpenAIError):
    """What has to be kept cannot be kept."""

    status = 503
    slug = "store-unavailable"
    title = "The store is not available"


class AuditUnavailable(StoreError):
    """The audit cannot be written, so nothing that must be audited is done."""

    slug = "audit-unavailable"
    title = "The audit cannot be written"


class AlreadyStored(StoreError):
    """What was to be stored first is there already: ids are ours, so nobody asked for it."""


class OutcomeUnknown(StoreError):
    """The store did not answer in time: what was to be written may be written all the same."""


class StorageFull(StoreError):
    """The disk or the store is full."""

    status = 507
    slug = "storage-full"
    title = "There is no room left to keep this"
