"""The data folder of a laptop: who uses it, and what in it is ours."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from secure_openai.errors import StartError
from secure_openai.store.sqlite.database import private_folder

MARKER = ".secure-openai"
OWNED = ("exports", "identity", "model", "logs", "keys", "seals", "tokens.json", "run.json")
DATABASE = "secure-openai.db"


@dataclass(frozen=True, slots=True)
class Running:
    """What a running system says of itself in its folder.

    Attributes:
        pid: Of `up`.
        port: Of the application.
        url: Where people go.
        authority: Where they sign in.
        client_id: Of the application.
        command_line_client_id: Of the command line.
    """

    pid: int
    port: int
    url: str
    authority: str
    client_id: str
    command_line_client_id: str


class Folder:
    """A data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def database(self) -> Path:
        """Return the database's path."""
        return self.path / DATABASE

    @property
    def seals(self) -> Path:
        """Return the seals' folder."""
        return self.path / "seals"

    @property
    def seal_key(self) -> Path:
        """Return the path of the key that signs seals."""
        return self.path / "keys" / "seal.pem"

    @property
    def tokens(self) -> Path:
        """Return the path of the command line's cached tokens."""
        return self.path / "tokens.json"

    def prepare(self) -> None:
        """Make the folder ours, for its owner only.

        Raises:
            StartError: It cannot be used, or holds something that is not ours.
        """
        if self.path.is_dir() and any(self.path.iterdir()) and not self._marker.exists():
            raise StartError(
                f"{self.path} is not empty and not a data folder of this program: "
                "name another one with --data."
            )
        private_folder(self.path)
        self._marker.touch(mode=stat.S_IRUSR | stat.S_IWUSR)

    @property
    def _marker(self) -> Path:
        return self.path / MARKER

    def lock(self) -> None:
        """Hold the folder until this process ends.

        Raises:
            StartError: Another one holds it.
        """
        descriptor = os.open(self._marker, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            running = self.running()
            where = f" ({running.url}, process {running.pid})" if running else ""
            raise StartError(
                f"{self.path} is in use by another up{where}: stop it with "
                "secure-openai down, or name another folder with --data."
            ) from None
        self._lock = descriptor

    def is_locked(self) -> bool:
        """Return whether a process holds the folder."""
        if not self._marker.exists():
            return False
        descriptor = os.open(self._marker, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def say_running(self, running: Running) -> None:
        """Write what runs here."""
        self.write_private("run.json", json.dumps(asdict(running)))

    def running(self) -> Running | None:
        """Return what runs here, or last did; only true while the folder is locked."""
        try:
            facts: dict[str, Any] = json.loads((self.path / "run.json").read_text())
            return Running(**facts)
        except (OSError, ValueError, TypeError):
            return None

    def write_private(self, name: str, text: str) -> None:
        """Write a file of ours whole or not at all, for its owner only."""
        target = self.path / name
        temporary = target.with_name(f".{name}.{os.getpid()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(temporary, flags, stat.S_IRUSR | stat.S_IWUSR), "w") as file:
            file.write(text)
        temporary.replace(target)

    def require_ours(self) -> None:
        """Return if this is a data folder of ours.

        Raises:
            StartError: It is not.
        """
        if not self._marker.exists():
            raise StartError(f"{self.path} is not a data folder of this program.")

    def remove(self) -> None:
        """Remove what is ours; the folder itself too if nothing else is in it.

        Raises:
            StartError: It is not ours, or in use.
        """
        self.require_ours()
        if self.is_locked():
            raise StartError(f"{self.path} is in use: stop it first with secure-openai down.")
        for name in OWNED:
            target = self.path / name
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        for path in self.path.glob(f"{DATABASE}*"):
            path.unlink()
        self._marker.unlink()
        if not any(self.path.iterdir()):
            self.path.rmdir()
