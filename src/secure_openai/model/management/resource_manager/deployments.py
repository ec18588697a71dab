"""Deployments in Azure, by Azure Resource Manager's own client library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar, cast

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import (
    AsyncRetryPolicy,
    ContentDecodePolicy,
    HeadersPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient
from azure.mgmt.core import AsyncARMPipelineClient
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from secure_openai import __version__
from secure_openai.errors import (
    ManagementConflict,
    NotFound,
    PreconditionFailed,
    RequestError,
    RoleMissing,
)
from secure_openai.model.management.accounts import AccountId
from secure_openai.model.management.checks import resolved
from secure_openai.model.management.interface import (
    NO_DEPLOYMENT,
    Kind,
    ManagedDeployment,
    OfferedModel,
    Progress,
    Quota,
    State,
    Wanted,
    is_name,
)
from secure_openai.model.management.operations import Operation, Way
from secure_openai.model.management.resource_manager.errors import translated
from secure_openai.model.management.resource_manager.operations import (
    POLL_SECONDS,
    begun,
    progress,
    state_of,
    told,
)
from secure_openai.model.management.resource_manager.wire import body, managed, offered, quotas
from secure_openai.types import Clock, utc_now

T = TypeVar("T")

CONNECT_SECONDS = 10
READ_SECONDS = 30
"""How long a connection may take, and how long nothing may come."""


class AzureDeployments:
    """Implements `DeploymentManagement`.

    Args:
        credential: Whose roles decide.
        accounts: The accounts by key.
        base_url: Origin of the cloud's Resource Manager, such as https://management.azure.com.
        scope: Scope of its tokens; `{base_url}/.default` unless given.
        transport: Makes what requests leave by; each is closed with its client.
    """

    def __init__(
        self,
        credential: AsyncTokenCredential,
        accounts: Mapping[str, AccountId],
        *,
        base_url: str,
        scope: str = "",
        transport: Callable[[], AsyncHttpTransport[Any, Any]] = AioHttpTransport,
        clock: Clock = utc_now,
    ) -> None:
        self._accounts = dict(accounts)
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._regions: dict[str, str] = {}
        scopes = [scope or f"{self._base_url}/.default"]
        subscriptions = {one.subscription for one in accounts.values()}
        self._clients = {
            one: CognitiveServicesManagementClient(
                credential,
                one,
                self._base_url,
                credential_scopes=scopes,
                policies=_policies(credential, scopes),
                transport=transport(),
            )
            for one in subscriptions
        }
        # The library polls to the end and no other way; its pipeline alone asks once.
        self._pipeline = AsyncARMPipelineClient[HttpRequest, AsyncHttpResponse](
            self._base_url,
            policies=_policies(credential, scopes),
            transport=transport(),
        )

    @property
    def accounts(self) -> Sequence[str]:
        """Return the keys of the accounts."""
        return sorted(self._accounts)

    async def models(self, account: str) -> Sequence[OfferedModel]:
        """Return what the account's region offers."""
        client, at = self._client(account)
        with translated(f"account {account} in Azure"):
            found = await _all(client.accounts.list_models(at.group, at.name))
        models = [offered(one) for one in found if one.name and one.version]
        return sorted(models, key=lambda one: (one.name, _latest_first(one.version)))

    async def quota(self, account: str) -> Sequence[Quota]:
        """Return what the account's region has left."""
        client, _ = self._client(account)
        region = await self._region(account)
        with translated(f"region {region}"):
            return quotas(region, await _all(client.usages.list(region)))

    async def deployments(self, account: str) -> Sequence[ManagedDeployment]:
        """Return the account's deployments."""
        client, at = self._client(account)
        with translated(f"account {account} in Azure"):
            found = await _all(client.deployments.list(at.group, at.name))
        return sorted((managed(account, one) for one in found), key=lambda one: one.name)

    async def deployment(self, account: str, name: str) -> ManagedDeployment:
        """Return one deployment."""
        client, at = self._client(account)
        what = f"deployment {name} in the account {account}"
        if not is_name(name):
            raise NotFound(NO_DEPLOYMENT)
        with translated(what):
            return managed(account, await client.deployments.get(at.group, at.name, name))

    async def create(self, wanted: Wanted) -> Progress:
        """Check, then begin to create."""
        wanted.require_plain()
        client, at = self._client(wanted.account)
        models, quota, filters, existing = await asyncio.gather(
            self.models(wanted.account),
            self._known_quota(wanted.account),
            self._content_filters(wanted.account),
            self._exists(wanted.account, wanted.name),
        )
        if existing:
            # Azure's PUT would change it.
            raise ManagementConflict(
                f"The account {wanted.account} has a deployment {wanted.name} already: choose "
                "another name, or delete it first."
            )
        chosen = resolved(
            wanted,
            models=models,
            quota=quota,
            content_filters=filters,
            today=self._clock().date(),
        )
        with translated(f"account {wanted.account} in Azure"):
            poller = await client.deployments.begin_create_or_update(
                at.group, at.name, wanted.name, body(chosen), polling=False, cls=_response
            )
            response = cast("AsyncHttpResponse", await poller.result())
        return begun(self._operation(Kind.CREATE, wanted.account, wanted.name, response), response)

    async def delete(self, account: str, name: str, *, confirm: str, etag: str) -> Progress:
        """Compare, then begin to delete."""
        # Before it is said again.
        if not is_name(name):
            raise NotFound(NO_DEPLOYMENT)
        if confirm != name:
            raise RequestError(f"Confirm the deletion with the deployment's name, {name}.")
        client, at = self._client(account)
        found = await self.deployment(account, name)
        if found.etag != etag:
            raise PreconditionFailed(
                f"The deployment {name} has changed since it was looked at: look again."
            )
        with translated(f"deployment {name} in the account {account}"):
            poller = await client.deployments.begin_delete(
                at.group, at.name, name, polling=False, cls=_response
            )
            answer: Any = poller.result()
            response = cast("AsyncHttpResponse", await answer)
        return begun(self._operation(Kind.DELETE, account, name, response), response)

    async def ask(self, operation: str) -> Progress:
        """Return how an operation stands."""
        asked = Operation.read(operation)
        at = self._at(asked.account)
        if not asked.belongs_to(at.subscription):
            raise NotFound("There is no such operation.")
        if asked.way is Way.RESOURCE:
            return await self._ask_resource(asked)
        request = HttpRequest("GET", self._base_url + asked.path)
        with translated("such operation"):
            response = await self._pipeline.send_request(request)
        if response.status_code == HTTPStatus.NOT_FOUND:
            # Status resources are dropped after some days; the deployment itself tells as well.
            return await self._ask_resource(asked)
        return told(asked, response)

    async def aclose(self) -> None:
        """Close connections."""
        for client in self._clients.values():
            await client.close()
        await self._pipeline.close()

    def _at(self, account: str) -> AccountId:
        try:
            return self._accounts[account]
        except KeyError:
            raise NotFound(
                f"There is no account {account} here: write one of {', '.join(self.accounts)}."
                if is_name(account)
                else "There is no such account."
            ) from None

    def _client(self, account: str) -> tuple[CognitiveServicesManagementClient, AccountId]:
        at = self._at(account)
        return self._clients[at.subscription], at

    async def _region(self, account: str) -> str:
        if account not in self._regions:
            client, at = self._client(account)
            with translated(f"account {account} in Azure"):
                found = await client.accounts.get(at.group, at.name)
            self._regions[account] = str(found.location or "").replace(" ", "").lower()
        return self._regions[account]

    async def _known_quota(self, account: str) -> Sequence[Quota] | None:
        """Return the quota, or `None` where it may not be read: Azure itself keeps it then."""
        try:
            return await self.quota(account)
        except RoleMissing:
            return None

    async def _content_filters(self, account: str) -> Sequence[str]:
        client, at = self._client(account)
        with translated(f"account {account} in Azure"):
            found = await _all(client.rai_policies.list(at.group, at.name))
        return [one.name for one in found if one.name]

    async def _exists(self, account: str, name: str) -> bool:
        try:
            await self.deployment(account, name)
        except NotFound:
            return False
        return True

    def _operation(
        self, kind: Kind, account: str, name: str, response: AsyncHttpResponse
    ) -> Operation:
        """Return what to ask about an operation, by the headers of the response that began it."""
        subscription = self._at(account).subscription
        for header, way in (("Azure-AsyncOperation", Way.OPERATION), ("Location", Way.LOCATION)):
            address = response.headers.get(header, "")
            if address.startswith(f"{self._base_url}/"):
                asked = Operation(kind, account, name, way, address[len(self._base_url) :])
                if asked.belongs_to(subscription):
                    return asked
        return Operation(kind, account, name)

    async def _ask_resource(self, asked: Operation) -> Progress:
        try:
            found = await self.deployment(asked.account, asked.name)
        except NotFound:
            gone = asked.kind is Kind.DELETE
            detail = "" if gone else f"The deployment {asked.name} is not there."
            return progress(asked, State.SUCCEEDED if gone else State.FAILED, detail=detail)
        if asked.kind is Kind.DELETE:
            return progress(asked, State.UNDER_WAY, retry_after=POLL_SECONDS)
        state = state_of(found.state)
        detail = "" if state is not State.FAILED else "Azure could not make the deployment."
        return progress(asked, state, detail=detail, retry_after=POLL_SECONDS)


class _Patience(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Bounds how long each request may take."""

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        request.context.options.setdefault("connection_timeout", CONNECT_SECONDS)
        request.context.options.setdefault("read_timeout", READ_SECONDS)


def _policies(credential: AsyncTokenCredential, scopes: Sequence[str]) -> list[Any]:
    """Return what a request passes.

    Left out on purpose: redirects are not followed, bodies and addresses are not logged, a
    provider is never registered with a subscription by the way, and nothing is sent twice: whoever
    asked decides whether to wait.
    """
    return [
        RequestIdPolicy(),
        HeadersPolicy(),
        UserAgentPolicy(base_user_agent=f"azure-secure-openai/{__version__}"),
        ContentDecodePolicy(),
        AsyncRetryPolicy.no_retries(),
        _Patience(),
        AsyncARMChallengeAuthenticationPolicy(credential, *scopes),
    ]


def _response(pipeline: Any, _: object, __: object) -> AsyncHttpResponse:
    """Hand out the response itself, for its headers: the library's `cls` argument."""
    response: AsyncHttpResponse = pipeline.http_response
    return response


async def _all(pages: AsyncIterable[T]) -> list[T]:
    return [one async for one in pages]


def _latest_first(version: str) -> tuple[int, ...]:
    """Return a key by which later versions come first."""
    return tuple(-ord(one) for one in version)
