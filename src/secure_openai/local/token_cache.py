"""The command line's tokens, kept in a folder of ours for their owner only."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from secure_openai.errors import SignInFailed
from secure_openai.local.command_line_sign_in import DIRECTLY, Client, Tokens, refresh
from secure_openai.local.folder import Folder
from secure_openai.outbound import Outbound

MARGIN_SECONDS = 300.0
"""How long a token must still live to be handed out."""

MOST_SIGN_INS = 16
"""How many authorities and clients are remembered; the one used longest ago is forgotten."""


class TokenCache:
    """One sign-in for each authority and client."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    async def usable(
        self,
        client: Client,
        *,
        rejected: str | None = None,
        outbound: Outbound = DIRECTLY,
    ) -> Tokens | None:
        """Return tokens that still live, refreshed if need be, or `None`.

        Args:
            client: Whose.
            rejected: An access token that was not accepted, however long it should live.
            outbound: The way to the authority.

        Raises:
            IdentityProviderUnavailable: The authority cannot be reached.
        """
        tokens = self._kept(client)
        if tokens is None:
            return None
        lives = tokens.expires - time.time() > MARGIN_SECONDS
        if lives and tokens.access_token != rejected:
            return tokens
        if tokens.refresh_token is None:
            return None
        try:
            tokens = await refresh(client, tokens.refresh_token, outbound=outbound)
        except SignInFailed:
            return None
        self.keep(client, tokens)
        return tokens

    def keep(self, client: Client, tokens: Tokens) -> None:
        """Keep tokens."""
        others = [one for one in self._all() if one.get("client") != asdict(client)]
        kept = [*others, {"client": asdict(client), "tokens": asdict(tokens)}]
        text = json.dumps(kept[-MOST_SIGN_INS:])
        self._folder.write_private(self._folder.tokens.name, text)

    def _kept(self, client: Client) -> Tokens | None:
        for one in self._all():
            if one.get("client") == asdict(client):
                try:
                    return Tokens(**one["tokens"])
                except (TypeError, KeyError):
                    return None
        return None

    def _all(self) -> list[dict[str, Any]]:
        try:
            kept = json.loads(self._folder.tokens.read_text())
        except (OSError, ValueError):
            return []
        return [one for one in kept if isinstance(one, dict)] if isinstance(kept, list) else []
