"""Requirement files as `uv pip compile --generate-hashes` writes them (docs/adr/0002)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from secure_openai.delivery.target import Target
from secure_openai.errors import DeliveryError

_NAMED: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+?))? \\"
)
_HASH: Final = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
_BECAUSE: Final = re.compile(r"    #(?: via|  ) +(?P<parent>\S.*)")
_ROOT: Final = re.compile(r"azure-secure-openai \(pyproject\.toml\)")
FRAMEWORK: Final = "azure-secure-openai"


@dataclass(frozen=True, slots=True)
class Locked:
    """A distribution at its version.

    Attributes:
        name: Normalised (PEP 503).
        version: The one version.
        marker: Where it is needed (PEP 508), or empty for everywhere.
        hashes: What its files may have, as `sha256:…`.
        because: What needs it, normalised.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    because: frozenset[str]

    def line(self, *, marked: bool = False) -> str:
        """Return it as a requirement, with its marker or where that was decided already."""
        marker = f" ; {self.marker}" if marked and self.marker else ""
        return " \\\n    ".join(
            [f"{self.name}=={self.version}{marker}", *(f"--hash={one}" for one in self.hashes)]
        )


def normalised(name: str) -> str:
    """Return the name by which an index knows a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(path: Path) -> list[Locked]:
    """Read a requirement file.

    Raises:
        DeliveryError: It cannot be read, or something in it is not locked by hash.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeliveryError(f"{path} cannot be read ({type(error).__name__}).") from None
    found: list[Locked] = []
    block: list[str] = []
    for line in [*lines, "end"]:
        if line and not line[0].isspace() and not line.startswith("#"):
            if block:
                found.append(_locked(path, block))
            block = []
        if line.strip() and not line.startswith("#"):
            block.append(line)
    return found


def _locked(path: Path, block: list[str]) -> Locked:
    named = _NAMED.fullmatch(block[0])
    hashes = tuple(found.group(1) for line in block if (found := _HASH.search(line)))
    if named is None or not hashes:
        raise DeliveryError(
            f"{path} does not lock {block[0].split()[0]} by hash: write NAME==VERSION and its "
            "--hash=sha256:…, as `uv pip compile --universal --generate-hashes` does."
        )
    because = {
        FRAMEWORK if _ROOT.fullmatch(found.group("parent")) else normalised(found.group("parent"))
        for line in block
        if (found := _BECAUSE.fullmatch(line))
    }
    return Locked(
        normalised(named.group("name")),
        named.group("version"),
        named.group("marker") or "",
        hashes,
        frozenset(because - {""}),
    )


def for_target(locked: Iterable[Locked], target: Target) -> list[Locked]:
    """Return what is needed on a target: markers are decided for it, and not for this machine.

    Raises:
        DeliveryError: What reads markers is not installed.
    """
    try:
        from packaging.markers import Marker  # noqa: PLC0415 - comes with what is locked
    except ImportError:
        raise DeliveryError(
            "packaging is not installed: install requirements/base.txt with --require-hashes."
        ) from None
    environment: Mapping[str, str] = target.markers
    return [
        one for one in locked if not one.marker or Marker(one.marker).evaluate(dict(environment))
    ]


def needed_by(roots: Iterable[str], locked: Iterable[Locked]) -> list[Locked]:
    """Return what the roots need, themselves included: development files need something else."""
    rows = list(locked)
    kept = {normalised(one) for one in roots}
    while True:
        more = {one.name for one in rows if one.because & kept} - kept
        if not more:
            return [one for one in rows if one.name in kept]
        kept |= more
