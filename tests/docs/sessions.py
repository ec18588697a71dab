"""Sessions of a terminal, as a page shows them: what is typed after a prompt, and what is printed.

    $ secure-openai deployments list
    ... a line of its own: lines that differ from machine to machine
    scripted  ...                        within a line: the rest of that line, or a part of it

Everything else is literal. What is not shown is not printed: a command without a line under it
prints nothing. A command whose answer begins with the mark of a refusal fails, and no other does.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

PROMPT, MORE, ELSEWHERE, REFUSED = "$ ", ">", "...", "✗"


@dataclass(frozen=True)
class Step:
    """One command of a session.

    Attributes:
        typed: The command, with the lines that go on with it.
        shown: What the page says it prints.
    """

    typed: str
    shown: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Return whether the page shows it failing."""
        return any(line.startswith(REFUSED) for line in self.shown)

    @property
    def is_bounded(self) -> bool:
        """Return whether something is said of what it prints, where it prints anything."""
        return not self.shown or any(line.strip(" .") for line in self.shown)

    def says(self, printed: str) -> bool:
        """Return whether what was printed is what is shown, elisions apart."""
        wanted = "".join(map(_pattern, self.shown))
        lines = "".join(f"{line.rstrip()}\n" for line in printed.strip("\n").splitlines())
        return re.fullmatch(wanted, lines) is not None


def _pattern(line: str) -> str:
    if line.strip() == ELSEWHERE:
        return r"(?:[^\n]*\n)+?"
    parts = (re.escape(part) for part in line.rstrip().split(ELSEWHERE))
    return r"[^\n]+?".join(parts) + r"\n"


def steps(text: str) -> list[Step]:
    """Return the commands of a session.

    Raises:
        ValueError: It begins with something else than a prompt.
    """
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith(PROMPT):
            found.append(([line.removeprefix(PROMPT)], []))
        elif not found:
            raise ValueError(line)
        elif line.startswith(MORE) and not found[-1][1]:
            found[-1][0].append(line.removeprefix(MORE).removeprefix(" "))
        else:
            found[-1][1].append(line)
    return [Step("\n".join(typed), tuple(shown)) for typed, shown in found]


@dataclass(frozen=True)
class Script:
    """Commands as one program of a shell, so that what one sets the next one has.

    Attributes:
        text: The program.
        mark: What it prints after each, followed by how it ended.
    """

    text: str
    mark: str

    @classmethod
    def of(cls, typed: list[str]) -> Script:
        """Return the program of commands."""
        mark = f"ended-{secrets.token_hex(8)}"
        after = f"\nprintf '\\n%s %s\\n' {shlex.quote(mark)} $?\n"
        return cls("exec 2>&1\n" + "".join(one + after for one in typed), mark)

    def answers(self, printed: str) -> Iterator[tuple[str, int]]:
        """Yield what each command printed, and how it ended."""
        *answers, _ = re.split(rf"^{self.mark} (\d+)\n", printed, flags=re.MULTILINE)
        for said, code in zip(answers[::2], answers[1::2], strict=True):
            yield said, int(code)
