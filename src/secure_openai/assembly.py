"""From settings to everything the application, the jobs and the command line are made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import aiohttp

from secure_openai.conversations.answers import Answers
from secure_openai.deployments import Deployments
from secure_openai.identity.authorization import AuthorizationClient
from secure_openai.identity.keys import KeySource
from secure_openai.identity.tokens import TokenValidator
from secure_openai.model.interface import Model
from secure_openai.model.management.accounts import account_ids
from secure_openai.model.management.interface import DeploymentManagement
from secure_openai.model.management.served import ServedDeployments
from secure_openai.model.openai_compatible import OpenAICompatibleModel
from secure_openai.model.scripted import ScriptedModel
from secure_openai.outbound import Outbound
from secure_openai.pipeline import Pipeline
from secure_openai.policy.decision import Policy
from secure_openai.sessions import Sessions
from secure_openai.settings import CredentialSettings, ModelSource, Settings
from secure_openai.store.audit import AuditStore
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.seals import FileSigner, SealFolder, Signer
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.sessions import SqliteSessionStore
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.store.usage import UsageStore
from secure_openai.streams import Background
from secure_openai.types import Deployment, Parameters

if TYPE_CHECKING:
    from secure_openai.credential import Credential

DATABASE_NAME = "secure-openai.db"


@dataclass(frozen=True)
class Assembly:
    """What everything is made of, open and ready."""

    settings: Settings
    policy: Policy
    conversations: ConversationStore
    usage: UsageStore
    audit: AuditStore
    seals: SealFolder
    signer: Signer
    model: Model
    tokens: TokenValidator
    sessions: Sessions
    pipeline: Pipeline
    deployments: Deployments
    answers: Answers
    background: Background


@asynccontextmanager
async def assemble(settings: Settings) -> AsyncIterator[Assembly]:
    """Open everything; close it in the reverse order, after what was begun has ended.

    Raises:
        PolicyError: The policy file is not usable.
        StartError: The data folder is not usable.
    """
    policy = Policy.load(settings.policy)
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.data / DATABASE_NAME)
        stack.push_async_callback(database.aclose)
        audit = await SqliteAuditStore.open(database)
        stack.push_async_callback(audit.aclose)
        http = await stack.enter_async_context(
            # What a model sets as a cookie must not go along with other people's requests.
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        )
        model = model_of(settings, http)
        stack.push_async_callback(model.aclose)
        management = management_of(settings, model)
        stack.push_async_callback(management.aclose)
        deployments = Deployments(management=management, audit=audit)
        stack.push_async_callback(deployments.aclose)
        keys = KeySource(settings.authority, http=http)
        stack.push_async_callback(keys.aclose)
        tokens = TokenValidator(
            issuer=settings.authority,
            tenant_id=settings.tenant_id,
            client_id=settings.client_id,
            audience=settings.token_audience,
            scope=settings.scope,
            keys=keys,
        )
        authorization = AuthorizationClient(
            authority=settings.authority, client_id=settings.client_id, tokens=tokens, keys=keys
        )
        stack.push_async_callback(authorization.aclose)
        background = Background()
        stack.push_async_callback(background.drain)
        conversations = SqliteConversationStore(database)
        usage = SqliteUsageStore(database)
        pipeline = Pipeline(
            policy=policy, usage=usage, audit=audit, model=model, background=background
        )
        renewing = asyncio.ensure_future(pipeline.keep_reservations())
        stack.callback(renewing.cancel)
        yield Assembly(
            settings=settings,
            policy=policy,
            conversations=conversations,
            usage=usage,
            audit=audit,
            seals=SealFolder(settings.data / "seals"),
            signer=FileSigner.open(settings.data / "keys" / "seal.pem"),
            model=model,
            tokens=tokens,
            sessions=Sessions(
                SqliteSessionStore(database),
                authorization,
                public_url=settings.public_url,
                redirect_uri=f"{settings.public_url}/auth/callback",
                idle=timedelta(minutes=settings.session_idle_minutes),
                absolute=timedelta(hours=settings.session_absolute_hours),
                roles_check=timedelta(minutes=settings.roles_check_minutes),
            ),
            pipeline=pipeline,
            deployments=deployments,
            answers=Answers(conversations=conversations, pipeline=pipeline, background=background),
            background=background,
        )


def model_of(settings: Settings, http: aiohttp.ClientSession) -> Model:
    """Return the model that the settings name."""
    if settings.model_source is ModelSource.SCRIPTED:
        return ScriptedModel()
    deployments = [
        Deployment(
            name,
            settings.model_name or name,
            Parameters(
                window_tokens=settings.model_window_tokens,
                answer_tokens=settings.model_answer_tokens,
            ),
        )
        for name in settings.model_deployments
    ]
    key = settings.model_key.get_secret_value()

    async def bearer() -> str:
        return f"Bearer {key}"

    return OpenAICompatibleModel(
        settings.model_url, deployments, session=http, authorization=bearer if key else None
    )


def management_of(
    settings: Settings,
    model: Model,
    credential: Credential | None = None,
    outbound: Outbound | None = None,
) -> DeploymentManagement:
    """Return what manages the deployments that answer: in Azure, or those of a model server."""
    if settings.model_source is ModelSource.AZURE and credential is not None:
        return azure_management(
            settings, settings.model_accounts, credential, outbound or Outbound.of(settings)
        )
    return ServedDeployments(lambda: model.deployments)


def azure_management(
    settings: CredentialSettings, accounts: str, credential: Credential, outbound: Outbound
) -> DeploymentManagement:
    """Return what manages the deployments of Azure's accounts; an event loop must be running.

    Args:
        settings: Which cloud.
        accounts: The accounts, as `SECURE_OPENAI_MODEL_ACCOUNTS` has them.
        credential: Whose roles decide.
        outbound: The way out.

    Raises:
        SettingsError: An account has no id.
    """
    # Azure's clients are an extra: a laptop has none.
    from secure_openai.credential import transport_of  # noqa: PLC0415
    from secure_openai.model.management.resource_manager.deployments import (  # noqa: PLC0415
        AzureDeployments,
    )

    cloud = settings.cloud_facts
    return AzureDeployments(
        credential,
        account_ids(accounts),
        base_url=cloud.resource_manager,
        scope=cloud.resource_manager_scope,
        transport=lambda: transport_of(outbound, cloud.resource_manager),
    )
