"""A model behind an OpenAI-compatible address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import aiohttp

from secure_openai.model.exchange import Exchange, Patience
from secure_openai.model.interface import ModelRequest, ModelResponse
from secure_openai.model.wire import wire_bytes
from secure_openai.types import Deployment, MemberHealth


class OpenAICompatibleModel:
    """Implements `Model` over `POST {base_url}/chat/completions`, `/responses`, `/embeddings`.

    Args:
        base_url: Without the trailing slash, such as `http://127.0.0.1:8402/v1`.
        deployments: What it serves.
        session: Whose connections to use; not closed here.
        patience: How long to wait.
        authorization: Gives the value of the `Authorization` header for each request, if any.
        proxy: The proxy to leave by, if any.
    """

    def __init__(
        self,
        base_url: str,
        deployments: Sequence[Deployment],
        *,
        session: aiohttp.ClientSession,
        patience: Patience | None = None,
        authorization: Callable[[], Awaitable[str]] | None = None,
        proxy: str | None = None,
    ) -> None:
        self._base_url = base_url
        self._deployments = tuple(deployments)
        self._exchange = Exchange(
            session, patience=patience, authorization=authorization, proxy=proxy
        )

    @property
    def deployments(self) -> Sequence[Deployment]:
        """Return what is served."""
        return self._deployments

    async def open(self, request: ModelRequest) -> ModelResponse:
        """Send a request and return when the answer has begun."""
        return await self._exchange.open(
            f"{self._base_url}/{request.operation}", request, wire_bytes(request)
        )

    async def ready(self) -> bool:
        """Return whether the address accepts connections and lists models."""
        return await self._exchange.reaches(f"{self._base_url}/models")

    def health(self) -> Sequence[MemberHealth]:
        """Return nothing: this is no pool."""
        return ()

    async def aclose(self) -> None:
        """Do nothing: the session belongs to whoever made it."""
