"""Sign a person in on the command line.

By loopback code with PKCE (RFC 8252), or by device code (RFC 8628). The command line is a public
client: it has no secret, and its redirect address is a port on loopback that is open only while it
waits. What is registered is `http://localhost`, of which Entra ID ignores the port.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from secure_openai.errors import IdentityProviderUnavailable, SignInFailed
from secure_openai.identity.keys import KeySource, Metadata
from secure_openai.outbound import Outbound

WAIT_SECONDS = 300.0
PORTS_TRIED = 16
DONE = b"You are signed in. You may close this window and go back to the command line."
DIRECTLY = Outbound()
FAILED = b"The sign-in did not succeed. Go back to the command line."


@dataclass(frozen=True, slots=True)
class Client:
    """A public client of an authority.

    Attributes:
        authority: The issuer.
        client_id: The command line's.
        scope: Our API's.
    """

    authority: str
    client_id: str
    scope: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in gave.

    Attributes:
        access_token: For our API.
        expires: Seconds since the epoch.
        refresh_token: To get the next one.
    """

    access_token: str
    expires: float
    refresh_token: str | None


async def sign_in_by_browser(
    client: Client,
    open_address: Callable[[str], None],
    *,
    again: bool = False,
    outbound: Outbound = DIRECTLY,
) -> Tokens:
    """Sign in with a browser on this machine.

    Args:
        client: Who asks.
        open_address: Told where the person goes.
        again: Whether to ask who it is even if the authority remembers.
        outbound: The way to the authority.

    Raises:
        SignInFailed: The person or the authority refused, with its reason, or nobody came.
        IdentityProviderUnavailable: The authority cannot be reached.
    """
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    answer: asyncio.Future[dict[str, list[str]]] = asyncio.get_running_loop().create_future()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode("latin-1").split(" ")
        query = parse_qs(urlsplit(line[1]).query) if len(line) > 1 else {}
        ours = query.get("state") == [state]
        text = DONE if ours and "code" in query else FAILED
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            + f"Content-Length: {len(text)}\r\n\r\n".encode()
            + text
        )
        await writer.drain()
        writer.close()
        if ours and not answer.done():
            answer.set_result(query)

    sockets = _loopback()
    redirect_uri = f"http://localhost:{sockets[0].getsockname()[1]}"
    async with AsyncExitStack() as stack:
        for one in sockets:
            await stack.enter_async_context(await asyncio.start_server(receive, sock=one))
        http = await stack.enter_async_context(outbound.session(client.authority))
        metadata = await _metadata(client, http)
        parameters = {
            "client_id": client.client_id,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "scope": f"openid profile offline_access {client.scope}",
            "state": state,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        if again:
            parameters["prompt"] = "select_account"
        open_address(f"{metadata.authorization_endpoint}?{urlencode(parameters)}")
        try:
            query = await asyncio.wait_for(answer, WAIT_SECONDS)
        except TimeoutError:
            raise SignInFailed("Nobody signed in within five minutes.") from None
        if "code" not in query:
            raise SignInFailed(_refusal({name: value[0] for name, value in query.items()}))
        return await _exchange(
            http,
            metadata.token_endpoint,
            {
                "grant_type": "authorization_code",
                "client_id": client.client_id,
                "code": query["code"][0],
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
            },
        )


def _loopback() -> list[socket.socket]:
    """Return sockets of one port on each loopback that this machine has.

    A browser takes `localhost` for either: nobody else may stand on the other one.

    Raises:
        SignInFailed: No port is free on both.
    """
    for _ in range(PORTS_TRIED):
        first = socket.socket()
        first.bind(("127.0.0.1", 0))
        try:
            second = socket.socket(socket.AF_INET6)
        except OSError:
            return [first]
        second.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            second.bind(("::1", first.getsockname()[1]))
        except OSError as error:
            second.close()
            if error.errno == errno.EADDRNOTAVAIL:
                return [first]
            first.close()
        else:
            return [first, second]
    raise SignInFailed("No port of this machine is free for the way back: use --device-code.")


async def sign_in_by_device(
    client: Client, tell: Callable[[str], None], *, outbound: Outbound = DIRECTLY
) -> Tokens:
    """Sign in with a browser somewhere else.

    Args:
        client: Who asks.
        tell: Told what the person has to do.
        outbound: The way to the authority.

    Raises:
        SignInFailed: The person or the authority refused, or the code expired.
        IdentityProviderUnavailable: The authority cannot be reached.
    """
    async with outbound.session(client.authority) as http:
        metadata = await _metadata(client, http)
        if metadata.device_authorization_endpoint is None:
            raise SignInFailed("This authority signs nobody in by device code.")
        asked = await _post(
            http,
            metadata.device_authorization_endpoint,
            {
                "client_id": client.client_id,
                "scope": f"openid profile offline_access {client.scope}",
            },
        )
        if "device_code" not in asked:
            raise SignInFailed(_refusal(asked))
        tell(str(asked.get("message", "")))
        interval = float(asked.get("interval", 5))
        end = time.monotonic() + float(asked.get("expires_in", 900))
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "client_id": client.client_id,
            "device_code": str(asked["device_code"]),
        }
        while time.monotonic() < end:
            await asyncio.sleep(interval)
            answer = await _post(http, metadata.token_endpoint, form)
            error = answer.get("error")
            if error is None:
                return _tokens(answer)
            if error == "slow_down":
                interval += 5
            elif error == "expired_token":
                break
            elif error != "authorization_pending":
                raise SignInFailed(_refusal(answer))
        raise SignInFailed("The code has expired: nobody entered it in time.")


async def refresh(client: Client, refresh_token: str, *, outbound: Outbound = DIRECTLY) -> Tokens:
    """Get the next access token.

    Raises:
        SignInFailed: The person must sign in again.
        IdentityProviderUnavailable: The authority cannot be reached.
    """
    async with outbound.session(client.authority) as http:
        metadata = await _metadata(client, http)
        return await _exchange(
            http,
            metadata.token_endpoint,
            {
                "grant_type": "refresh_token",
                "client_id": client.client_id,
                "refresh_token": refresh_token,
            },
        )


async def _exchange(http: aiohttp.ClientSession, address: str, form: dict[str, str]) -> Tokens:
    answer = await _post(http, address, form)
    if "error" in answer:
        raise SignInFailed(_refusal(answer))
    return _tokens(answer)


async def _metadata(client: Client, http: aiohttp.ClientSession) -> Metadata:
    try:
        return await KeySource(client.authority, http=http).metadata()
    except IdentityProviderUnavailable:
        raise IdentityProviderUnavailable(
            f"No sign-in service answers at {client.authority}."
        ) from None


def _refusal(answer: Mapping[str, object]) -> str:
    """Return a refusal with the authority's reason (RFC 6749, 4.1.2.1 and 5.2)."""
    said = answer.get("error_description") or answer.get("error")
    return f"The sign-in was refused: {said}" if isinstance(said, str) else "The sign-in failed."


def _tokens(answer: dict[str, Any]) -> Tokens:
    token = answer.get("access_token")
    if not isinstance(token, str):
        raise SignInFailed("The authority gave no access token.")
    refresh_token = answer.get("refresh_token")
    return Tokens(
        access_token=token,
        expires=time.time() + float(answer.get("expires_in", 0)),
        refresh_token=refresh_token if isinstance(refresh_token, str) else None,
    )


async def _post(http: aiohttp.ClientSession, address: str, form: dict[str, str]) -> dict[str, Any]:
    try:
        async with http.post(address, data=form, allow_redirects=False) as response:
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
        raise IdentityProviderUnavailable(f"The sign-in broke off at {address}.") from None
    if not isinstance(answer, dict):
        raise IdentityProviderUnavailable("The sign-in service does not answer as one.")
    return answer
