"""`secure-openai token`: an access token for the command line."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from secure_openai.cli.console import DEFAULT_DATA, DataOption, err, told_clearly
from secure_openai.local.folder import Folder, Running
from secure_openai.local.token_cache import TokenCache
from secure_openai.terminal.sign_in import SignIn, laptop_client, running_in


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


def access_token(
    folder: Folder, running: Running, *, device_code: bool = False, again: bool = False
) -> str:
    """Return an access token for the running system, signing in first if need be.

    Raises:
        SignInFailed: The person was refused.
        IdentityProviderUnavailable: The authority cannot be reached.
    """
    sign_in = SignIn(
        laptop_client(running), TokenCache(folder), said, device_code=device_code, again=again
    )
    return asyncio.run(sign_in.token())


def said(text: str) -> None:
    """Tell the person at the terminal what to do."""
    err.print(text, soft_wrap=True, markup=False)
