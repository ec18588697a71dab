"""The whole system on a disk of its own that can be filled: memory that only its process mounts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system import System, environment, running

MEGABYTES = 4

MOUNTED = 'mount -t tmpfs -o size="$1"m tmpfs "$2" && shift 2 && exec "$@"'


@dataclass(frozen=True)
class Disk:
    """A disk that only its process and its children see where it is.

    Attributes:
        system: What runs on it.
        folder_within: Where they see it.
    """

    system: System
    folder_within: Path

    @property
    def folder(self) -> Path:
        """Return where it is seen from outside."""
        return Path(f"/proc/{self.system.process.pid}/root{self.folder_within}")

    def within(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command that sees the disk, to its end."""
        of = str(self.system.process.pid)
        entering = ["nsenter", "--target", of, "--mount"]
        if os.geteuid():
            entering += ["--user", "--preserve-credentials"]
        return subprocess.run(
            [*entering, "--", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=environment(),
        )

    def fill(self) -> None:
        """Leave no room."""
        with (self.folder / "filler").open("ab", buffering=0) as filler:
            for size in (65_536, 4096, 1):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        """Make room."""
        (self.folder / "filler").unlink()


def can_be_made(folder: Path) -> bool:
    """Return whether this host lets a process have a disk of its own."""
    if not all(map(shutil.which, ("unshare", "nsenter"))):
        return False
    trial = subprocess.run([*_alone(folder), "true"], capture_output=True, check=False, timeout=30)
    return trial.returncode == 0


@contextmanager
def system_on_a_small_disk(folder: Path) -> Iterator[Disk]:
    """Run the system until the block is left."""
    with running(folder / "data", before=_alone(folder)) as system:
        yield Disk(system, folder)


def _alone(folder: Path) -> list[str]:
    """Return what runs a command in a namespace where a folder is a disk in memory."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    mounting = ["sh", "-c", MOUNTED, "sh", str(MEGABYTES), str(folder)]
    return ["unshare", *user, "--mount", "--", *mounting]
