"""What a model, or a gateway to one, did not do."""

from __future__ import annotations

from secure_openai.errors.tree import SecureOpenAIError
from secure_openai.types import Attempt, Standing, Verdict


class ModelError(SecureOpenAIError):
    """The model failed after the request was admitted.

    Attributes:
        billable: Whether Azure may bill what failed: the request had been sent in full.
        attempts: Who was asked before, in a pool.
        standing: How the principal stands with the deployment, once quota was asked.
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
        self.standing: Standing | None = None


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
