"""From settings to everything the application, the jobs and the command line are made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import aiohttp

from secure_openai.acceptances import Acceptances
from secure_openai.appearance import Appearance
from secure_openai.conversations.answers import Answers
from secure_openai.conversations.attachments import Attachments
from secure_openai.conversations.composing import Composer
from secure_openai.conversations.feedback import Feedbacks
from secure_openai.conversations.texts import SavedTexts
from secure_openai.credential_settings import CredentialSettings
from secure_openai.credential_source import credential_for
from secure_openai.deployments import Deployments
from secure_openai.identity.authorization import AuthorizationClient
from secure_openai.identity.keys import KeySource
from secure_openai.identity.tokens import TokenValidator
from secure_openai.model.azure_openai import AzureOpenAIModel
from secure_openai.model.draining import DrainingModel
from secure_openai.model.exchange import Patience
from secure_openai.model.interface import Model
from secure_openai.model.management.accounts import AccountId, account_ids
from secure_openai.model.management.interface import DeploymentManagement
from secure_openai.model.management.served import ServedDeployments
from secure_openai.model.openai_compatible import OpenAICompatibleModel
from secure_openai.model.parameters import parameters_of
from secure_openai.model.pool import Member, Pool
from secure_openai.model.scripted import ScriptedModel
from secure_openai.observation import PROVIDERS, gauged
from secure_openai.outbound import Outbound
from secure_openai.pipeline import Pipeline
from secure_openai.policy.decision import Policy
from secure_openai.presence import Presence
from secure_openai.sessions import Sessions
from secure_openai.settings import ModelSource, Settings
from secure_openai.store.audit import AuditStore
from secure_openai.store.blobs import BlobStore
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.holds import HoldStore
from secure_openai.store.notes import NoteStore
from secure_openai.store.personal import PersonalStore
from secure_openai.store.requests import RequestStore
from secure_openai.store.seals import Seals
from secure_openai.store.sightings import SightingStore
from secure_openai.store.signing import Signer
from secure_openai.store.tallies import TallyStore
from secure_openai.store.usage import UsageStore
from secure_openai.stores import open_stores
from secure_openai.streams import Background, Drain, running
from secure_openai.types import Deployment, Parameters
from secure_openai.verifications import Verifications

if TYPE_CHECKING:
    from secure_openai.credential import Credential


@dataclass(frozen=True)
class Assembly:
    """What everything is made of, open and ready."""

    settings: Settings
    outbound: Outbound
    credential: Credential | None
    policy: Policy
    appearance: Appearance
    conversations: ConversationStore
    holds: HoldStore
    requests: RequestStore
    notes: NoteStore
    personal: PersonalStore
    texts: SavedTexts
    acceptances: Acceptances
    feedback: Feedbacks
    attachments: Attachments
    exports: BlobStore
    usage: UsageStore
    tallies: TallyStore
    audit: AuditStore
    seals: Seals
    signer: Signer
    model: Model
    tokens: TokenValidator
    sessions: Sessions
    sightings: SightingStore
    presence: Presence
    pipeline: Pipeline
    deployments: Deployments
    verifications: Verifications
    answers: Answers
    background: Background
    drain: Drain


@asynccontextmanager
async def assemble(settings: Settings, drain: Drain | None = None) -> AsyncIterator[Assembly]:
    """Open everything; close it in the reverse order, after what was begun has ended.

    Args:
        settings: Everything that differs between installations.
        drain: Says when answers are cut off; never, unless given.

    Raises:
        PolicyError: The policy file is not usable.
        AppearanceError: The appearance file is not usable.
        StartError: The data folder or the CA bundle is not usable, or a client is not installed.
    """
    policy = Policy.load(settings.policy)
    appearance = Appearance.load(settings.appearance)
    async with AsyncExitStack() as stack:
        outbound = Outbound.of(settings)
        http = await stack.enter_async_context(outbound.session())
        credential = credential_for(settings, outbound)
        if credential is not None:
            stack.push_async_callback(credential.close)
        stores = await stack.enter_async_context(
            open_stores(settings, outbound=outbound, credential=credential)
        )
        model = model_of(settings, http, outbound=outbound, credential=credential)
        stack.push_async_callback(model.aclose)
        management = management_of(settings, model, outbound=outbound, credential=credential)
        stack.push_async_callback(management.aclose)
        deployments = Deployments(management=management, audit=stores.audit)
        stack.push_async_callback(deployments.aclose)
        keys = KeySource(
            settings.authority, http=http, proxy=outbound.proxy_for(settings.authority)
        )
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
            authority=settings.authority,
            client_id=settings.client_id,
            tokens=tokens,
            keys=keys,
            client_assertion=assertion_of(settings, credential),
            proxy=outbound.proxy_for(settings.authority),
            ssl_context=outbound.ssl_context,
        )
        stack.push_async_callback(authorization.aclose)
        texts = SavedTexts(stores.personal)
        attachments = Attachments(
            stores.personal, stores.attachments, total_bytes=settings.attachments_total_bytes
        )
        drain = Drain() if drain is None else drain
        background = Background()
        stack.push_async_callback(background.drain)
        verifications = Verifications(stores.audit, stores.seals, stores.signer)
        stack.push_async_callback(verifications.aclose)
        pipeline = Pipeline(
            policy=policy,
            usage=stores.usage,
            audit=stores.audit,
            model=DrainingModel(model, drain),
            background=background,
            provider=PROVIDERS[settings.model_source],
            drain=drain,
        )
        stack.enter_context(running(pipeline.keep_reservations(), deployments.keep_quota()))
        stack.enter_context(gauged(stores.audit, model, deployments))
        answers = Answers(
            conversations=stores.conversations,
            pipeline=pipeline,
            composer=Composer(pipeline=pipeline, attachments=attachments, texts=texts),
            attachments=attachments,
            background=background,
            drain=drain,
            grace_seconds=settings.resume_grace_seconds,
        )
        stack.callback(answers.stop_all)
        yield Assembly(
            settings=settings,
            outbound=outbound,
            credential=credential,
            policy=policy,
            appearance=appearance,
            conversations=stores.conversations,
            holds=stores.holds,
            requests=stores.requests,
            notes=stores.notes,
            personal=stores.personal,
            texts=texts,
            acceptances=Acceptances(
                stores.personal,
                digest=appearance.notice_digest,
                where=f"{settings.public_url}/notice",
            ),
            feedback=Feedbacks(stores.personal, stores.conversations),
            attachments=attachments,
            exports=stores.exports,
            usage=stores.usage,
            tallies=stores.tallies,
            audit=stores.audit,
            seals=stores.seals,
            signer=stores.signer,
            model=model,
            tokens=tokens,
            sessions=Sessions(
                stores.sessions,
                authorization,
                public_url=settings.public_url,
                redirect_uri=f"{settings.public_url}/auth/callback",
                idle=timedelta(minutes=settings.session_idle_minutes),
                absolute=timedelta(hours=settings.session_absolute_hours),
                roles_check=timedelta(minutes=settings.roles_check_minutes),
            ),
            sightings=stores.sightings,
            presence=Presence(stores.sightings, background),
            pipeline=pipeline,
            deployments=deployments,
            verifications=verifications,
            answers=answers,
            background=background,
            drain=drain,
        )


def assertion_of(
    settings: Settings, credential: Credential | None
) -> Callable[[], Awaitable[str]] | None:
    """Return what vouches for the web application in each exchange, on an Azure host.

    Its registration has no secret: the managed identity is its federated credential. Elsewhere
    (the laptop's issuer, a development registration with a loopback address) it is a public client.
    """
    if credential is None or not settings.azure_host:
        return None
    audience = settings.federation_audience or settings.cloud_facts.federation_audience
    return partial(credential.assertion, audience)


def model_of(
    settings: Settings,
    http: aiohttp.ClientSession,
    *,
    outbound: Outbound,
    credential: Credential | None,
) -> Model:
    """Return the model that the settings name."""
    patience = Patience(
        connect=settings.model_connect_seconds,
        first_byte=settings.model_first_byte_seconds,
        whole=settings.model_whole_seconds,
        idle=settings.model_idle_seconds,
    )
    match settings.model_source:
        case ModelSource.SCRIPTED:
            return ScriptedModel()
        case ModelSource.URL:
            return OpenAICompatibleModel(
                settings.model_url,
                _deployments_of(settings),
                session=http,
                patience=patience,
                authorization=_key_of(settings),
                proxy=outbound.proxy_for(settings.model_url),
            )
        case ModelSource.AZURE:
            assert credential is not None  # noqa: S101 - such settings use a credential
            return Pool(
                [
                    Member(
                        account.name,
                        account.priority,
                        AzureOpenAIModel(
                            account.url,
                            [
                                Deployment(name, model, parameters_of(model))
                                for name, model in account.deployments
                            ],
                            session=http,
                            authorization=partial(
                                credential.bearer, settings.cloud_facts.model_scope
                            ),
                            api_version=settings.model_api_version,
                            patience=patience,
                            proxy=outbound.proxy_for(account.url),
                        ),
                    )
                    for account in settings.model_accounts
                ]
            )


def _deployments_of(settings: Settings) -> list[Deployment]:
    return [
        Deployment(
            name,
            settings.model_name or name,
            Parameters(
                window_tokens=settings.model_window_tokens,
                answer_tokens=settings.model_answer_tokens,
                images=settings.model_images,
            ),
        )
        for name in settings.model_deployments
    ]


def _key_of(settings: Settings) -> Callable[[], Awaitable[str]] | None:
    key = settings.model_key.get_secret_value()

    async def bearer() -> str:
        return f"Bearer {key}"

    return bearer if key else None


def management_of(
    settings: Settings, model: Model, *, outbound: Outbound, credential: Credential | None
) -> DeploymentManagement:
    """Return what manages the deployments that answer."""
    if settings.model_source is not ModelSource.AZURE:
        return ServedDeployments(lambda: model.deployments)
    assert credential is not None  # noqa: S101 - such settings use a credential
    accounts = account_ids(settings.model_accounts)
    if not accounts:
        return ServedDeployments(
            lambda: model.deployments,
            why="The accounts in SECURE_OPENAI_MODEL_ACCOUNTS carry no id to manage them by.",
        )
    return azure_management(settings, accounts, outbound=outbound, credential=credential)


def azure_management(
    settings: CredentialSettings,
    accounts: Mapping[str, AccountId],
    *,
    outbound: Outbound,
    credential: Credential,
) -> DeploymentManagement:
    """Return what manages deployments in Azure; an event loop must be running."""
    # Azure's clients are an extra: a laptop has none.
    from secure_openai.credential import transport_of  # noqa: PLC0415
    from secure_openai.model.management.resource_manager.deployments import (  # noqa: PLC0415
        AzureDeployments,
    )

    cloud = settings.cloud_facts
    return AzureDeployments(
        credential,
        accounts,
        base_url=cloud.resource_manager,
        scope=cloud.resource_manager_scope,
        transport=partial(transport_of, outbound, cloud.resource_manager),
    )
