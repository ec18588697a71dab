"""Who asks, or who we are, is not known well enough."""

from __future__ import annotations

from secure_openai.errors.tree import SecureOpenAIError


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
