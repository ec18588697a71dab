"""A copy of a Terraform folder made of links, in which Terraform can work and leave nothing behind.

Terraform writes beside the configuration and insists on the declared backend. In the mirror both
are ours: the files are links to the real ones, and an override file names the backend that keeps
the simulated state. What lies around the folder is linked too, as far up as the repository, so that
`../modules` leads where it should.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from secure_openai.posture.simulation.diagnostics import SimulationError

OVERRIDE: Final = "zz_simulation_override.tf"

_BACKEND: Final = 'terraform {{\n  backend "http" {{\n    address = "{address}"\n  }}\n}}\n'
_LEVELS: Final = 6
_LEFT_OUT: Final = (".terraform", ".terraform.lock.hcl", "terraform.tfstate", OVERRIDE)


def configuration_files(folder: Path) -> list[Path]:
    """Return the Terraform files that stand in a folder itself."""
    return sorted([*folder.glob("*.tf"), *folder.glob("*.tf.json")])


def make(folder: Path, target: Path, address: str) -> Path:
    """Mirror a folder below a target; return where its mirror is.

    Args:
        folder: What is mirrored.
        target: An empty folder's name.
        address: Where the state is kept.

    Raises:
        SimulationError: It is no folder, or no Terraform is in it.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise SimulationError(f"{folder} is not a folder: name the one that holds the .tf files.")
    if not configuration_files(folder):
        raise SimulationError(f"{folder} holds no .tf files: name the folder that does.")
    levels = _ancestors(folder)
    mirror = target
    for level, below in zip(levels, [*levels[1:], None], strict=True):
        mirror.mkdir(exist_ok=True)
        _link(level, mirror, below)
        if below:
            mirror /= below.name
    (mirror / OVERRIDE).write_text(_BACKEND.format(address=address), encoding="utf-8")
    return mirror


def _ancestors(folder: Path) -> list[Path]:
    """Return the folders from the repository's root down to this one."""
    levels = [folder]
    while len(levels) < _LEVELS and not (levels[0] / ".git").exists():
        above = levels[0].parent
        if above == levels[0] or above.parent == above:
            break
        levels.insert(0, above)
    return levels


def _link(level: Path, mirror: Path, below: Path | None) -> None:
    try:
        entries = sorted(level.iterdir())
    except PermissionError:
        # What may not be listed above the folder is not needed by who may read the folder.
        entries = []
    try:
        for entry in entries:
            skipped = below == entry if below else entry.name in _LEFT_OUT
            if not skipped and not entry.name.endswith((".tfstate", ".tfstate.backup")):
                (mirror / entry.name).symlink_to(entry)
    except OSError as error:
        raise SimulationError(
            f"{level} cannot be mirrored ({error.strerror}): this needs the right to make links."
        ) from error
