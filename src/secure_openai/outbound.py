"""How every client of ours leaves: by the proxy that settings name, trusting the CAs they name.

The environment's own HTTPS_PROXY is never read: what leaves, and by which way, is a setting.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from secure_openai.credential_settings import CredentialSettings
from secure_openai.environment import is_loopback_host
from secure_openai.errors import StartError

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True)
class Outbound:
    """The way out.

    Attributes:
        proxy: Address of an HTTP proxy; `None` reaches everything directly.
        direct: Host names reached without the proxy; one that begins with a dot is a domain.
            Loopback always is.
        ca_bundle: Certificates to trust instead of the system's (PEM).
    """

    proxy: str | None = None
    direct: tuple[str, ...] = ()
    ca_bundle: Path | None = None

    @classmethod
    def of(cls, settings: CredentialSettings) -> Outbound:
        """Return the way out that the settings name."""
        return cls(
            settings.proxy.get_secret_value() or None, settings.proxy_direct, settings.ca_bundle
        )

    def __repr__(self) -> str:
        # A proxy's address may carry a password.
        return f"Outbound(proxied={self.proxy is not None}, ca_bundle={self.ca_bundle})"

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """Return the context of every TLS connection.

        Raises:
            StartError: The CA bundle cannot be read.
        """
        if self.ca_bundle is None:
            return _trusting_the_system()
        try:
            return ssl.create_default_context(cafile=self.ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise StartError(
                f"{self.ca_bundle} is not usable as CA bundle ({type(error).__name__}): write the "
                "path of a file of PEM certificates."
            ) from None

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy by which `url` is reached, or `None` for the direct way."""
        host = (urlsplit(url).hostname or "").lower()
        domains = tuple(one for one in self.direct if one.startswith("."))
        direct = is_loopback_host(host) or host in self.direct or host.endswith(domains)
        return None if direct else self.proxy

    def session(
        self, url: str | None = None, *, decompress: bool = True, connections: int = 0
    ) -> aiohttp.ClientSession:
        """Return a session without a memory of its own, for the caller to close.

        Args:
            url: Whom it talks to, where that is one service: the proxy is chosen by it. A session
                for several chooses at each request, by `proxy_for`.
            decompress: Whether bodies are decompressed.
            connections: How many it opens at most; without bound where it is 0.
        """
        # A quarter of a second to load, which a command that asks nobody need not wait for.
        import aiohttp  # noqa: PLC0415

        return aiohttp.ClientSession(
            # Policy bounds what is under way towards models: a second queue there would only look
            # like slowness.
            connector=aiohttp.TCPConnector(ssl=self.ssl_context, limit=connections),
            # What a service sets as a cookie must not go along with other people's requests.
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=None if url is None else self.proxy_for(url),
            auto_decompress=decompress,
        )


@cache
def _trusting_the_system() -> ssl.SSLContext:
    # To read all of the system's certificates takes 30 ms of a core.
    return ssl.create_default_context()


async def body_of(response: aiohttp.ClientResponse, *, largest_bytes: int) -> bytes:
    """Return a response's body.

    Raises:
        ValueError: It is larger than the limit.
        aiohttp.ClientError: It broke off.
    """
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > largest_bytes:
            raise ValueError("the answer is too large")
    return bytes(body)
