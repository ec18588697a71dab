"""What Azure Resource Manager did not do."""

from __future__ import annotations

from secure_openai.errors.tree import SecureOpenAIError


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
