"""Question and answer at a terminal, until the person leaves."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, suppress
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.text import Text

from secure_openai.errors import SecureOpenAIError
from secure_openai.terminal.conversation import Conversation
from secure_openai.terminal.plain import sentence

T = TypeVar("T")

PROMPT: Final = "> "
MORE: Final = "… "
HELP: Final = """\
/new               forget what was said, and begin again
/deployment        show who may be asked
/deployment NAME   ask another one
/help              show this
/quit              leave, as Ctrl-D does
A line that ends with \\ goes on in the next one; // begins a line with /.
Ctrl-C stops an answer, Ctrl-D leaves."""

LEAVING: Final = frozenset({"/quit", "/exit"})

_COMMAND = re.compile(r"/([a-z]+)(?:\s+(.*))?")


class Dialogue:
    """A conversation with somebody at a terminal.

    Args:
        conversation: What is said.
        runner: The loop in which the gateway is asked; Ctrl-C cancels what runs in it.
        console: Where everything but answers is shown.
    """

    def __init__(
        self, conversation: Conversation, runner: asyncio.Runner, console: Console
    ) -> None:
        self._conversation = conversation
        self._runner = runner
        self._console = console

    def run(self) -> None:
        """Ask until the person leaves."""
        # Lines can be edited and called back; they are kept nowhere.
        with suppress(ImportError):
            import readline  # noqa: F401, PLC0415 - importing it is what it takes; POSIX has it
        self._note(
            f"{self._conversation.deployment} at {self._conversation.gateway.url}. "
            "/help says what you can do; Ctrl-D leaves."
        )
        while True:
            try:
                line = _line()
            except EOFError:
                self._console.print()
                return
            except KeyboardInterrupt:
                self._console.print()
                continue
            if line.strip() in LEAVING:
                return
            if line.strip():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            found = _COMMAND.fullmatch(line.strip())
            if found is not None:
                self._command(found.group(1), (found.group(2) or "").strip())
            else:
                self._ask(line.removeprefix("/") if line.startswith("//") else line)
        except KeyboardInterrupt:
            self._console.print()
            self._note("Stopped.")
        except SecureOpenAIError as error:
            self._fail(error.detail or error.title)

    def _command(self, name: str, argument: str) -> None:
        match name:
            case "help":
                self._console.print(HELP, markup=False)
            case "new":
                self._conversation.begin()
                self._note("Begun again: what was said before is forgotten.")
            case "deployment":
                self._deployment(argument)
            case _:
                self._fail(f"There is no command /{sentence(name)}: /help lists them.")

    def _deployment(self, name: str) -> None:
        names = self._run(self._conversation.gateway.names())
        if name in names:
            self._conversation.deployment = name
            self._note(f"{name} answers from here on.")
            return
        known = f"You may ask: {', '.join(names) or 'none'}."
        if name:
            self._fail(f"There is no deployment {sentence(name)}. {known}")
        else:
            self._note(f"{self._conversation.deployment} answers. {known}")

    def _ask(self, question: str) -> None:
        self._run(self._show(question))
        if self._conversation.note:
            self._note(self._conversation.note)
        answer = self._conversation.answer
        if answer is not None and answer.usage is not None:
            used = answer.usage
            self._note(f"{used.prompt_tokens} + {used.completion_tokens} tokens")

    async def _show(self, question: str) -> None:
        begun, end = False, "\n"
        try:
            async with aclosing(self._conversation.ask(question)) as pieces:
                waiting = told_to_wait(pieces, self._console, self._conversation.deployment)
                async for piece in waiting:
                    begun, end = True, piece
                    sys.stdout.write(piece)
                    sys.stdout.flush()
        except SecureOpenAIError:
            if begun:
                sys.stdout.write("\n")
            raise
        if not end.endswith("\n"):
            sys.stdout.write("\n")
            sys.stdout.flush()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _note(self, text: str) -> None:
        self._console.print(Text(text, style="dim"), soft_wrap=True)

    def _fail(self, text: str) -> None:
        self._console.print(Text.assemble(("✗", "red"), f" {text}"), soft_wrap=True)


async def told_to_wait(
    pieces: AsyncIterator[str], console: Console, deployment: str
) -> AsyncGenerator[str, None]:
    """Yield the pieces of an answer; who looks on sees until the first that somebody is asked."""
    if console.is_terminal:
        with console.status(Text(f"{deployment} …", style="dim")):
            first = await anext(pieces, None)
        if first is None:
            return
        yield first
    async for piece in pieces:
        yield piece


def _line() -> str:
    """Return what is typed, lines that end with a backslash joined to the next.

    Raises:
        EOFError: Ctrl-D on an empty line.
        KeyboardInterrupt: Ctrl-C.
    """
    lines = [input(PROMPT)]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        lines.append(input(MORE))
    # What cannot be decoded comes as halves of surrogate pairs, which no JSON may hold.
    return "\n".join(lines).encode("utf-8", "replace").decode("utf-8", "replace")
