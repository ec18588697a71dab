"""Azure OpenAI: one account, by our own identity and never by a key.

Two styles of address exist. `/openai/v1/…` names the deployment in the body and has no dated
version; `/openai/deployments/{name}/…?api-version=` names it in the path (Microsoft Learn, "Azure
OpenAI API version lifecycle" and "Azure OpenAI REST API reference"). Responses are at
`/openai/responses?api-version=` in the second style and name the deployment in the body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import aiohttp

from secure_openai.model.exchange import Exchange, Patience
from secure_openai.model.interface import ModelRequest, ModelResponse
from secure_openai.model.parameters import successor_of
from secure_openai.model.wire import wire_bytes
from secure_openai.types import Deployment, MemberHealth, Operation


class AzureOpenAIModel:
    """Implements `Model` for one account.

    Args:
        url: The account's address, such as `https://NAME.openai.azure.com`.
        deployments: What is deployed there.
        session: Whose connections to use; not closed here.
        authorization: Gives `Bearer …` of our credential for each request.
        api_version: A dated version, for addresses by deployment; empty for `/openai/v1`.
        patience: How long to wait.
        proxy: The proxy to leave by, if any.
    """

    def __init__(
        self,
        url: str,
        deployments: Sequence[Deployment],
        *,
        session: aiohttp.ClientSession,
        authorization: Callable[[], Awaitable[str]],
        api_version: str = "",
        patience: Patience | None = None,
        proxy: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._deployments = tuple(deployments)
        self._api_version = api_version
        self._successors = {one.name: successor_of(one.model) for one in deployments}
        self._exchange = Exchange(
            session, patience=patience, authorization=authorization, proxy=proxy
        )

    @property
    def deployments(self) -> Sequence[Deployment]:
        """Return what is deployed."""
        return self._deployments

    async def open(self, request: ModelRequest) -> ModelResponse:
        """Send a request and return when the answer has begun."""
        in_path = bool(self._api_version) and request.operation is not Operation.RESPONSES
        return await self._exchange.open(
            self._address(request, in_path=in_path),
            request,
            wire_bytes(request, named=not in_path, stores=not self._api_version),
            # Ours and random: it joins our logs with Azure's, and says nothing of who asks.
            headers={"x-ms-client-request-id": request.request_id},
            successor=self._successors.get(request.deployment, ""),
        )

    def _address(self, request: ModelRequest, *, in_path: bool) -> str:
        if not self._api_version:
            return f"{self._url}/openai/v1/{request.operation}"
        deployment = f"deployments/{request.deployment}/" if in_path else ""
        return f"{self._url}/openai/{deployment}{request.operation}?api-version={self._api_version}"

    async def ready(self) -> bool:
        """Return whether the account answers and takes our credential.

        It is asked for one model, which it may well not have: that too is an answer.
        """
        name = self._deployments[0].model if self._deployments else "none"
        if self._api_version:
            return await self._exchange.reaches(
                f"{self._url}/openai/models/{name}?api-version={self._api_version}"
            )
        return await self._exchange.reaches(f"{self._url}/openai/v1/models/{name}")

    def health(self) -> Sequence[MemberHealth]:
        """Return nothing: this is no pool."""
        return ()

    async def aclose(self) -> None:
        """Do nothing: the session belongs to whoever made it."""
