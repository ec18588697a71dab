"""An application of one's own: the folder that `secure-openai.toml` describes.

name = "answers"
application = "app:application"     # MODULE:NAME; without it the framework's own chat
files = ["app.py", "pages"]         # what a package takes of this folder
policy = "policy.toml"              # what may be asked, in both packages at this place
requirements = []                   # further requirement files, locked by hash
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from secure_openai.delivery.shipped import files_of
from secure_openai.environment import given_values
from secure_openai.errors import DeliveryError

FILE: Final = "secure-openai.toml"
NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
SHORTEST_NAME: Final = 2
LONGEST_NAME: Final = 40
_OBJECT: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_LISTS: Final = ("files", "requirements")
_TEXTS: Final = ("name", "application", "policy")


def require_name(name: str) -> str:
    """Return a name that may stand in a folder's, a package's and an address's.

    Raises:
        DeliveryError: It may not.
    """
    if NAME.fullmatch(name) is None or not SHORTEST_NAME <= len(name) <= LONGEST_NAME:
        raise DeliveryError(
            f"{name!r} is no name for an application: write {SHORTEST_NAME} to {LONGEST_NAME} "
            "lower-case letters, digits and single hyphens, a letter first, such as "
            "contoso-answers."
        )
    return name


@dataclass(frozen=True, slots=True)
class Project:
    """An application's folder.

    Attributes:
        folder: Where it lies.
        name: What it is called.
        application: What `serve` starts, as MODULE:NAME, or empty for the framework's own.
        files: What a package takes, beneath the folder.
        policy: The policy's file, beneath the folder, or empty.
        requirements: Requirement files of its own, beneath the folder.
    """

    folder: Path
    name: str
    application: str = ""
    files: tuple[str, ...] = field(default=())
    policy: str = ""
    requirements: tuple[str, ...] = field(default=())

    @property
    def lock(self) -> Path:
        """Return the lock of what the framework needs."""
        return self.folder / "requirements" / "azure.txt"

    @property
    def framework(self) -> Path:
        """Return the requirement file that names the vendored wheel by its hash."""
        return self.folder / "requirements" / "framework.txt"

    def contents(self, named: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of files and of what folders hold, of those that are named.

        Raises:
            DeliveryError: One does not exist, or is a link that leads out of the folder.
        """
        home = self.folder.resolve()
        for name in named:
            path = self.folder / name
            if not path.exists():
                raise DeliveryError(f"{FILE} names {name}, which does not exist.")
            for one in files_of(path) if path.is_dir() else (path,):
                if not one.resolve().is_relative_to(home):
                    raise DeliveryError(f"{one.relative_to(self.folder)} leads out of the folder.")
                yield one.relative_to(self.folder).as_posix(), one.read_bytes()


def project_in(folder: Path) -> Project | None:
    """Return the project of a folder, or `None` where none is described.

    Raises:
        DeliveryError: Its description is not usable.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DeliveryError(f"{path} cannot be read: {error}.") from None
    problems = list(_problems(said))
    if problems:
        raise DeliveryError(*(f"{path}: {one}" for one in problems))
    return Project(
        folder=folder,
        name=require_name(said["name"]),
        application=said.get("application", ""),
        files=tuple(said.get("files", ())),
        policy=said.get("policy", ""),
        requirements=tuple(said.get("requirements", ())),
    )


def own_policy(project: Project | None) -> dict[str, Any]:
    """Return the setting `policy` of an application's folder, where the environment has none."""
    if project is None or not project.policy or given_values().get("policy"):
        return {}
    return {"policy": str(project.folder / project.policy)}


def _problems(said: dict[str, Any]) -> Iterator[str]:
    for name in said.keys() - {*_TEXTS, *_LISTS}:
        yield f"{name} is not known: it takes {', '.join((*_TEXTS, *_LISTS))}"
    if "name" not in said:
        yield 'name is missing: write name = "contoso-answers"'
    for name in _TEXTS:
        if not isinstance(said.get(name, ""), str):
            yield f"{name} is a text, in quotes"
            return
    application = said.get("application", "")
    if application and _OBJECT.fullmatch(application) is None:
        yield f'application is MODULE:NAME, such as "app:application", and not {application!r}'
    for name in _LISTS:
        values = said.get(name, [])
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            yield f"{name} is a list of paths"
            continue
        yield from (f"{name} names {one!r}: {_BENEATH}" for one in values if not _beneath(one))
    policy = said.get("policy", "")
    if policy and not _beneath(policy):
        yield f"policy names {policy!r}: {_BENEATH}"


_BENEATH: Final = "write a path beneath this folder, with / between its parts"


def _beneath(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
    )
