"""`secure-openai chat`: ask the gateway from a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer

from secure_openai.cli.console import (
    DEFAULT_DATA,
    NEGATIVE,
    DataOption,
    err,
    out,
    tell,
    told_clearly,
)
from secure_openai.cli.token import said
from secure_openai.environment import TERMINAL_PREFIX
from secure_openai.errors import Forbidden, IdentityError, SecureOpenAIError, StartError
from secure_openai.terminal.conversation import Conversation
from secure_openai.terminal.dialogue import Dialogue, told_to_wait
from secure_openai.terminal.gateway import Gateway
from secure_openai.terminal.place import Named, Place, place_of

NOT_SIGNED_IN = 3
STOPPED = 130
"""What a shell says of a program that Ctrl-C ended."""

HOME = Path("~/.secure-openai")
LARGEST_INPUT_BYTES = 4_194_304
"""Far more than any gateway takes: what is piped in must not fill the memory first."""

EPILOG = (
    "Exit codes: 0 answered, 1 refused or failed, 2 cannot be run so, 3 not signed in, 130 Ctrl-C."
)


def _option(name: str, text: str) -> Any:
    variable = TERMINAL_PREFIX + name.removeprefix("--").replace("-", "_").upper()
    return typer.Option(name, help=text, envvar=variable)


def chat(
    question: Annotated[
        str, typer.Argument(help="What to ask; without it, what is piped in, or a conversation.")
    ] = "",
    deployment: Annotated[
        str, _option("--deployment", "Who answers; unless named, the first that you may ask.")
    ] = "",
    system: Annotated[str, typer.Option("--system", help="What the model is told before.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")] = False,
    device_code: Annotated[
        bool, typer.Option("--device-code", help="Sign in on another device or browser.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Sign in again, perhaps as someone else.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
    url: Annotated[str, _option("--url", "A gateway elsewhere: its origin.")] = "",
    tenant: Annotated[str, _option("--tenant", "Entra tenant of that gateway.")] = "",
    authority: Annotated[str, _option("--authority", "Its issuer, instead of --tenant.")] = "",
    client_id: Annotated[str, _option("--client-id", "The command line's client id there.")] = "",
    scope: Annotated[str, _option("--scope", "Scope of that gateway's tokens.")] = "",
) -> None:
    """Ask a model through the gateway: one question, or a conversation.

    Without --url it asks what secure-openai up runs. An answer alone goes to standard output.

    [bold]Examples[/bold]

      secure-openai chat "What is a private endpoint?"
      git diff | secure-openai chat "Say in one line what this changes."
      secure-openai chat --url https://chat.contoso.com --tenant … --client-id … --scope …
    """
    with told_clearly():
        asked = _asked(question)
        if not asked and as_json:
            raise StartError("--json answers one question: name it, or pipe it in.")
        place = place_of(
            Named(url, authority, tenant, client_id, scope),
            data=data,
            home=HOME.expanduser(),
            tell=said,
            device_code=device_code,
            again=again,
        )
    # What a terminal cannot show is no reason to end in a traceback.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    with asyncio.Runner() as runner:
        try:
            if asked:
                code = runner.run(_answered(place, asked, deployment, system, as_json=as_json))
            else:
                code = _talk(place, runner, deployment, system)
        except KeyboardInterrupt:
            code = STOPPED
        except SecureOpenAIError as error:
            tell(error)
            code = _code_of(error)
    raise typer.Exit(code)


def _code_of(error: SecureOpenAIError) -> int:
    signed_in = not isinstance(error, IdentityError) or isinstance(error, Forbidden)
    return NEGATIVE if signed_in else NOT_SIGNED_IN


def _asked(question: str) -> str:
    """Return what to ask, with what is piped in; empty where somebody sits there to be asked.

    Raises:
        StartError: There is nothing to ask, or it is no text.
    """
    piped = "" if sys.stdin.isatty() or (question and not _is_piped()) else _input()
    asked = "\n\n".join(part for part in (question, piped) if part.strip())
    if not asked and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise StartError("Say what to ask: name it, or pipe it in.")
    return asked


def _is_piped() -> bool:
    """Return whether somebody feeds standard input: a terminal or /dev/null is not read."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _input() -> str:
    read = sys.stdin.buffer.read(LARGEST_INPUT_BYTES + 1)
    if len(read) > LARGEST_INPUT_BYTES:
        raise StartError(f"What is piped in is over {LARGEST_INPUT_BYTES} bytes: ask of less.")
    try:
        return read.decode("utf-8")
    except UnicodeDecodeError:
        raise StartError("What is piped in is no text in UTF-8.") from None


async def _answered(
    place: Place, question: str, deployment: str, system: str, *, as_json: bool
) -> int:
    async with place.outbound.session(place.url) as http:
        gateway = Gateway(place.url, place.sign_in, http)
        conversation = Conversation(gateway, deployment or await gateway.first_name(), system)
        end = "\n"
        try:
            async with aclosing(conversation.ask(question)) as pieces:
                async for piece in told_to_wait(pieces, err, conversation.deployment):
                    end = piece
                    if not as_json:
                        typer.echo(piece, nl=False)
        finally:
            if not (as_json or end.endswith("\n")):
                typer.echo()
    if as_json:
        typer.echo(_json(conversation))
    if conversation.note:
        err.print(conversation.note, style="dim")
    answer = conversation.answer
    filtered = answer is not None and answer.finish_reason == "content_filter"
    return NEGATIVE if filtered else 0


def _json(conversation: Conversation) -> str:
    answer = conversation.answer
    assert answer is not None  # noqa: S101 - it was asked
    used = answer.usage
    told = {
        "deployment": answer.deployment,
        "answer": answer.text,
        "finish_reason": answer.finish_reason,
        "usage": None
        if used is None
        else {
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
        },
        "request_id": answer.request_id,
    }
    # In ASCII: nothing of an answer can speak to a terminal.
    return json.dumps(told)


def _talk(place: Place, runner: asyncio.Runner, deployment: str, system: str) -> int:
    http = runner.run(_opened(place))
    try:
        gateway = Gateway(place.url, place.sign_in, http)
        runner.run(gateway.sign_in())
        name = deployment or runner.run(gateway.first_name())
        Dialogue(Conversation(gateway, name, system), runner, out).run()
    finally:
        runner.run(http.close())
    return 0


async def _opened(place: Place) -> aiohttp.ClientSession:
    # A session wants a loop that runs.
    return place.outbound.session(place.url)
