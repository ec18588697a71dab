"""Who asks, for as long as somebody sits at the terminal: signed in once, renewed in silence."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from dataclasses import dataclass

from secure_openai.errors import IdentityProviderUnavailable, SignInFailed, StartError
from secure_openai.local.command_line_sign_in import (
    DIRECTLY,
    Client,
    Tokens,
    sign_in_by_browser,
    sign_in_by_device,
)
from secure_openai.local.folder import Folder, Running
from secure_openai.local.token_cache import TokenCache
from secure_openai.outbound import Outbound
from secure_openai.terminal.plain import plain, sentence


@dataclass
class SignIn:
    """A person's sign-in at one authority.

    Attributes:
        client: What they sign in to.
        cache: Where tokens are kept.
        tell: Told what the person has to do; never a token.
        device_code: Whether the browser is elsewhere.
        again: Whether to ask who it is, once, whatever is kept.
        outbound: The way to the authority.
    """

    client: Client
    cache: TokenCache
    tell: Callable[[str], None]
    device_code: bool = False
    again: bool = False
    outbound: Outbound = DIRECTLY

    async def token(self, *, rejected: str | None = None) -> str:
        """Return an access token that lives, asking the person only where nothing else helps.

        Args:
            rejected: A token that was not accepted although it should live: it is renewed.

        Raises:
            SignInFailed: The person was refused, or nobody came.
            IdentityProviderUnavailable: The authority cannot be reached.
        """
        try:
            return await self._token(rejected)
        except (SignInFailed, IdentityProviderUnavailable) as failure:
            # It may hold the authority's words.
            raise type(failure)(sentence(failure.detail)) from None

    async def _token(self, rejected: str | None) -> str:
        tokens = None
        if not self.again:
            tokens = await self.cache.usable(self.client, rejected=rejected, outbound=self.outbound)
        if tokens is None:
            tokens = await self._ask()
            self.cache.keep(self.client, tokens)
            self.again = False
        return tokens.access_token

    async def _ask(self) -> Tokens:
        if self.device_code:
            return await sign_in_by_device(self.client, self._said, outbound=self.outbound)
        return await sign_in_by_browser(
            self.client, self._opened, again=self.again, outbound=self.outbound
        )

    def _said(self, message: str) -> None:
        # The authority's words.
        self.tell(sentence(message))

    def _opened(self, address: str) -> None:
        self.tell("Choose who you are in the browser. If none opens, go to:")
        self.tell(plain(address))
        webbrowser.open(address)


def running_in(folder: Folder) -> Running:
    """Return what runs in a folder.

    Raises:
        StartError: Nothing does.
    """
    running = folder.running()
    if running is None or not folder.is_locked():
        raise StartError(
            f"Nothing runs in {folder.path}: start it with secure-openai up, or say with --data "
            "where it runs."
        )
    return running


def laptop_client(running: Running) -> Client:
    """Return the command line as the laptop's issuer knows it."""
    return Client(
        running.authority, running.command_line_client_id, f"{running.client_id}/access_as_user"
    )
