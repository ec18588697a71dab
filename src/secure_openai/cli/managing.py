"""Which deployments the command line manages: an Azure estate's, or those of the laptop.

In Azure it is the person who acts, by the sign-in of az or azd and with their own roles: Azure's
activity log names them. The application's audit is written by the application.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import aiohttp
import typer

from secure_openai.accounts import read_accounts
from secure_openai.cli.token import access_token
from secure_openai.credential_settings import CredentialSettings
from secure_openai.environment import model_accounts
from secure_openai.errors import RequestError, SettingsError, StartError
from secure_openai.local.folder import Folder
from secure_openai.model.management.accounts import AccountId, account_ids
from secure_openai.model.management.interface import DeploymentManagement
from secure_openai.model.management.served import ServedDeployments
from secure_openai.outbound import Outbound
from secure_openai.terminal.sign_in import running_in
from secure_openai.types import Deployment, JsonObject

T = TypeVar("T")

Work = Callable[[DeploymentManagement], Coroutine[Any, Any, T]]

AccountOption = Annotated[
    str | None, typer.Option("--account", help="Key of the account; not needed where one is.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def manage(data: Path, work: Work[T]) -> T:
    """Return what comes of some work on the deployments that are meant.

    Those of `SECURE_OPENAI_MODEL_ACCOUNTS`, if it is set; else those of what runs in `data`.

    Raises:
        SecureOpenAIError: As the work does.
        StartError: Neither is there.
    """
    written = model_accounts()
    place = _azure(_managed(written)) if written else _laptop(data)

    async def run() -> T:
        async with place as management:
            return await work(management)

    return asyncio.run(run())


def the_account(management: DeploymentManagement, asked: str | None) -> str:
    """Return the account that is meant.

    Raises:
        RequestError: There are several, and none is named.
    """
    if asked is not None:
        return asked
    if len(management.accounts) != 1:
        names = ", ".join(management.accounts)
        raise RequestError(f"Name the account with --account: one of {names}.")
    return management.accounts[0]


def the_accounts(management: DeploymentManagement, asked: str | None) -> list[str]:
    """Return the accounts that are meant: all, unless one is named."""
    return list(management.accounts) if asked is None else [asked]


def write_json(value: JsonObject | list[JsonObject]) -> None:
    """Write JSON on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _managed(written: str) -> dict[str, AccountId]:
    """Return the accounts that can be managed.

    Raises:
        SettingsError: They cannot be read, or none has an id.
    """
    setting = "SECURE_OPENAI_MODEL_ACCOUNTS"
    try:
        accounts = account_ids(read_accounts(written))
    except ValueError as error:
        raise SettingsError(*(f"{setting}: {line}" for line in str(error).splitlines())) from None
    if not accounts:
        raise SettingsError(f"{setting}: no account has the id by which it would be managed")
    return accounts


@asynccontextmanager
async def _azure(accounts: Mapping[str, AccountId]) -> AsyncIterator[DeploymentManagement]:
    try:
        # Azure's clients are an extra: a laptop has none.
        from secure_openai.credential import credential_of  # noqa: PLC0415
    except ImportError:
        raise StartError(
            "The clients of Azure are not installed here: pip install azure-secure-openai[azure]"
        ) from None
    # All that an application is made of takes half a second to load; a laptop needs none of it.
    from secure_openai.assembly import azure_management  # noqa: PLC0415

    settings = CredentialSettings.load()
    outbound = Outbound.of(settings)
    credential = credential_of(settings, outbound)
    try:
        management = azure_management(settings, accounts, outbound=outbound, credential=credential)
        try:
            yield management
        finally:
            await management.aclose()
    finally:
        await credential.close()


def _laptop(data: Path) -> AbstractAsyncContextManager[DeploymentManagement]:
    folder = Folder(data)
    try:
        running = running_in(folder)
    except StartError:
        raise StartError(
            "There is nothing to manage: name the accounts of an estate in "
            "SECURE_OPENAI_MODEL_ACCOUNTS (terraform output -raw model_accounts), or start the "
            "laptop's system with secure-openai up."
        ) from None
    token = access_token(folder, running)

    @asynccontextmanager
    async def opened() -> AsyncIterator[DeploymentManagement]:
        served = await _served(running.url, token)
        yield ServedDeployments(lambda: served)

    return opened()


async def _served(url: str, token: str) -> list[Deployment]:
    """Ask the running application what it serves."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http,
            http.get(f"{url}/openai/v1/models", headers=headers) as response,
        ):
            payload = await response.json()
            if "error" in payload:
                raise StartError(str(payload["error"]["message"]))
            return [Deployment(one["id"], one["owned_by"]) for one in payload["data"]]
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError):
        raise StartError(f"The application at {url} does not answer.") from None
