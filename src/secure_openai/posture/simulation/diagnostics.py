"""What Terraform says of a configuration, and the error that a simulation ends with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from secure_openai.errors import ConfigurationError

# Terraform opens the errors of `init` with this; they follow one by one.
_HEADING: Final = "Terraform encountered problems during initiali"
_MISSING: Final = re.compile(
    r"(?:provider\s+registry\.[\w.]+/|Could not retrieve the list of available versions for "
    r"provider\s+)([\w.-]+/[\w-]+)"
)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that Terraform says.

    Attributes:
        severity: `error` or `warning`.
        summary: What is wrong, in a few words.
        detail: What to do about it; may be empty.
        address: The resource it is about; empty if it is about none.
        file: Relative to the folder that is simulated; empty if it has no place.
        line: Counted from 1; 0 if it has no place.
    """

    severity: str
    summary: str
    detail: str = ""
    address: str = ""
    file: str = ""
    line: int = 0

    @property
    def is_error(self) -> bool:
        """Return whether it stops Terraform."""
        return self.severity == "error"

    @property
    def sentence(self) -> str:
        """Return it in one line: where, what, and what to do."""
        place = f"{self.file}:{self.line}" if self.file else ""
        where = ", ".join(filter(None, (place, self.address)))
        what = " ".join(self.summary.split()).rstrip(".")
        more = " ".join(self.detail.split())
        text = f"{what}. {more}" if more else f"{what}."
        return f"{where}: {text}" if where else text


class SimulationError(ConfigurationError):
    """The configuration cannot be simulated, or Terraform refuses it.

    Attributes:
        diagnostics: What Terraform said; empty if it never got so far.
    """

    def __init__(self, *problems: str, diagnostics: Iterable[Diagnostic] = ()) -> None:
        """Say what is wrong.

        Args:
            *problems: Each one sentence that says what to write instead.
            diagnostics: What Terraform said.
        """
        super().__init__(*problems)
        self.diagnostics = tuple(diagnostics)

    @classmethod
    def of(cls, diagnostics: Iterable[Diagnostic]) -> SimulationError:
        """Return the error that these diagnostics amount to."""
        kept = tuple(diagnostics)
        wrong = [one for one in kept if one.is_error and not one.summary.startswith(_HEADING)]
        return cls(*dict.fromkeys(_explained(one) for one in wrong), diagnostics=kept)


def _explained(diagnostic: Diagnostic) -> str:
    text = " ".join(diagnostic.detail.split())
    found = _MISSING.search(text)
    if found and "provider" in diagnostic.summary.lower():
        return (
            f"The configuration needs the provider {found.group(1)}, which has no stand-in: only "
            "azurerm, azuread, azapi and random can be simulated."
        )
    return diagnostic.sentence


def diagnostic_of(raw: Mapping[str, Any]) -> Diagnostic:
    """Return a diagnostic from the form that Terraform writes as JSON."""
    place = raw.get("range") or {}
    return Diagnostic(
        severity=raw["severity"],
        summary=raw["summary"],
        detail=raw.get("detail", ""),
        address=raw.get("address", ""),
        file=place.get("filename", ""),
        line=place.get("start", {}).get("line", 0),
    )


def messages(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return the messages of Terraform's machine-readable output; other lines are skipped."""
    found = []
    for line in lines:
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def diagnostics_in(found: Iterable[Mapping[str, Any]]) -> list[Diagnostic]:
    """Return the diagnostics among messages, each once."""
    said = [
        diagnostic_of(message["diagnostic"])
        for message in found
        if message.get("type") == "diagnostic"
    ]
    return list(dict.fromkeys(said))
