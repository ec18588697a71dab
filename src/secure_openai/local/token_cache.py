"""The command line's tokens, kept in the data folder for their owner only."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

from secure_openai.errors import SignInFailed
from secure_openai.local.command_line_sign_in import Client, Tokens, refresh
from secure_openai.local.folder import Folder

MARGIN_SECONDS = 300.0
"""How long a token must still live to be handed out."""


class TokenCache:
    """One sign-in for each authority and client."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    async def usable(self, client: Client) -> Tokens | None:
        """Return tokens that still live, refreshed if need be, or `None`.

        Raises:
            IdentityProviderUnavailable: The authority cannot be reached.
        """
        tokens = self._kept(client)
        if tokens is None:
            return None
        if tokens.expires - time.time() > MARGIN_SECONDS:
            return tokens
        if tokens.refresh_token is None:
            return None
        try:
            tokens = await refresh(client, tokens.refresh_token)
        except SignInFailed:
            return None
        self.keep(client, tokens)
        return tokens

    def keep(self, client: Client, tokens: Tokens) -> None:
        """Keep tokens."""
        kept = {"client": asdict(client), "tokens": asdict(tokens)}
        self._folder.write_private(self._folder.tokens.name, json.dumps(kept))

    def _kept(self, client: Client) -> Tokens | None:
        try:
            kept = json.loads(self._folder.tokens.read_text())
            if kept["client"] != asdict(client):
                return None
            return Tokens(**kept["tokens"])
        except (OSError, ValueError, TypeError, KeyError):
            return None
