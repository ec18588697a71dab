"""Azure as who runs the command: the developer's sign-in, or a pipeline's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from secure_openai.credential_settings import CredentialSettings
from secure_openai.credential_source import credential_for
from secure_openai.delivery.azure.rest import Rest
from secure_openai.outbound import Outbound


@asynccontextmanager
async def resource_manager() -> AsyncIterator[Rest]:
    """Yield what asks Azure; close it, and the credential.

    Raises:
        SettingsError: The settings of the credential are not usable.
        StartError: What talks to Azure is not installed.
    """
    settings = CredentialSettings.load()
    outbound, cloud = Outbound.of(settings), settings.cloud_facts
    credential = credential_for(settings, outbound)
    assert credential is not None  # noqa: S101 - these settings ask Azure
    rest = Rest(
        credential, outbound, base_url=cloud.resource_manager, scope=cloud.resource_manager_scope
    )
    try:
        yield rest
    finally:
        await rest.aclose()
        await credential.close()
