"""`secure-openai token`: an access token for the command line."""

from __future__ import annotations

import asyncio
import webbrowser
from typing import Annotated

import typer

from secure_openai.cli.console import DEFAULT_DATA, DataOption, err, told_clearly
from secure_openai.errors import StartError
from secure_openai.local.command_line_sign_in import (
    Client,
    sign_in_by_browser,
    sign_in_by_device,
)
from secure_openai.local.folder import Folder, Running
from secure_openai.local.token_cache import TokenCache


def token(
    data: DataOption = DEFAULT_DATA,
    device_code: Annotated[
        bool, typer.Option("--device-code", help="Sign in on another device or browser.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Sign in again, perhaps as someone else.")
    ] = False,
) -> None:
    """Print an access token for OpenAI clients, signing in first if need be.

    [bold]Examples[/bold]

      secure-openai token
      export OPENAI_API_KEY=$(secure-openai token)
      secure-openai token --device-code --again
    """
    with told_clearly():
        folder = Folder(data)
        answer = access_token(folder, running_in(folder), device_code=device_code, again=again)
    # The token alone, so that $(secure-openai token) is one.
    typer.echo(answer)


def running_in(folder: Folder) -> Running:
    """Return what runs in a folder.

    Raises:
        StartError: Nothing does.
    """
    folder.require_ours()
    running = folder.running()
    if running is None or not folder.is_locked():
        raise StartError("Nothing runs here: start it with secure-openai up.")
    return running


def access_token(
    folder: Folder, running: Running, *, device_code: bool = False, again: bool = False
) -> str:
    """Return an access token for the running system, signing in first if need be.

    Raises:
        SignInFailed: The person was refused.
        IdentityProviderUnavailable: The authority cannot be reached.
    """
    client = Client(
        running.authority, running.command_line_client_id, f"{running.client_id}/access_as_user"
    )
    cache = TokenCache(folder)
    answer = None if again else asyncio.run(cache.usable(client))
    if answer is None:
        if device_code:
            answer = asyncio.run(
                sign_in_by_device(client, lambda said: err.print(said, soft_wrap=True))
            )
        else:
            answer = asyncio.run(sign_in_by_browser(client, _open, again=again))
        cache.keep(client, answer)
    return answer.access_token


def _open(address: str) -> None:
    err.print("Choose who you are in the browser. If none opens, go to:", soft_wrap=True)
    err.print(address, soft_wrap=True)
    webbrowser.open(address)
