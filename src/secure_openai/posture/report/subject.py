"""What a proof is about: what was read, by what, and when, so that another may read it again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from secure_openai import __version__
from secure_openai.errors import ProofError
from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation.versions import versions

_LEFT_OUT: Final = (".tfstate", ".tfstate.backup")


@dataclass(frozen=True, slots=True)
class Input:
    """A file or folder that was read.

    Attributes:
        role: `configuration`, `state or plan`, `variables`, `assumptions` or `accepted findings`.
        name: As it was given.
        path: Where it is.
        digest: SHA-256, in hexadecimal; of a folder, that of its files' digests (`digest`); empty
            where nobody asked for it.
    """

    role: str
    name: str
    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a proof is about.

    Attributes:
        name: What was given.
        form: `folder`, `state` or `plan`.
        terraform: The version of Terraform that wrote it; empty if it does not say.
        inputs: Everything that was read.
        estate: The SHA-256 of what was judged.
        made: When.
        command: How to do it again.
    """

    name: str
    form: str
    terraform: str
    inputs: tuple[Input, ...]
    estate: str
    made: datetime
    command: str

    @property
    def tool(self) -> str:
        """Return the version of this program."""
        return __version__

    @property
    def facts(self) -> Mapping[str, str]:
        """Return the versions of the providers whose defaults and schemas are known."""
        return versions()

    @property
    def configuration(self) -> Path | None:
        """Return the folder of Terraform, if there is one."""
        return next((one.path for one in self.inputs if one.role == "configuration"), None)


def inputs(roles: Iterable[tuple[str, Path | None]], *, digested: bool = True) -> tuple[Input, ...]:
    """Return what is read, with the digests of now.

    Raises:
        ProofError: It cannot be read.
    """
    return tuple(
        Input(role, str(path), path, digest(path) if digested else "")
        for role, path in roles
        if path is not None
    )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of the list of a folder's files.

    The list is what `sha256sum` prints of every file below the folder, sorted by name in bytes,
    without what is hidden and without state. A link is refused: what it leads to may change, and
    the list would stay as it is.

    Raises:
        ProofError: It cannot be read, or there is a link below it.
    """
    try:
        if not path.is_dir():
            return _file(path)
        lines = [f"{_file(path / name)}  ./{name}\n" for name in sorted(_below(path))]
    except OSError as error:
        raise ProofError(f"{path} cannot be read: {error.strerror}.") from None
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _file(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _below(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if not one.startswith(".")]
        for name in (*folders, *names):
            path = Path(place, name)
            if name.startswith(".") or (name in names and name.endswith(_LEFT_OUT)):
                continue
            if path.is_symlink():
                raise ProofError(
                    f"{path} is a link, and what it leads to is not in the folder's digest: put a "
                    "copy of it there."
                )
            if path.is_file():
                yield path.relative_to(folder).as_posix()


def digest_of(estate: Estate) -> str:
    """Return the SHA-256 of an estate: its resources by address, and its outputs, as JSON.

    Two readings of one configuration have the same, on any machine.
    """
    resources = sorted((one.address, one.type, one.values) for one in estate.resources)
    text = json.dumps([resources, estate.outputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
