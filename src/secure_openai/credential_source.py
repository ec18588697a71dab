"""Where our credential comes from, if anything asks Azure at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secure_openai.credential_settings import CredentialSettings
from secure_openai.errors import StartError
from secure_openai.outbound import Outbound

if TYPE_CHECKING:
    from secure_openai.credential import Credential


def credential_for(settings: CredentialSettings, outbound: Outbound) -> Credential | None:
    """Return our credential, where anything asks Azure; an event loop must be running.

    Raises:
        StartError: What talks to Azure is not installed.
    """
    if not settings.uses_credential:
        return None
    try:
        from secure_openai.credential import credential_of  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise StartError(
            "What talks to Azure is not installed: install azure-secure-openai[azure]."
        ) from None
    return credential_of(settings, outbound)
