"""What a person approves of an estate: one plan, of one folder and workspace, with its packages.

A plan file brings its own configuration and says where its state is, so it is taken for what was
approved only with everything that it was made from: the digest that is approved is of all of it.
Between planning and applying it waits in the folder's `.terraform`, for its owner alone, because a
plan holds what is sensitive.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.terraform import LOCK
from secure_openai.delivery.wheels import sha256_of
from secure_openai.errors import DeliveryError, ProofError
from secure_openai.posture.report.subject import digest

PLAN: Final = "estate.tfplan"

_MANIFEST: Final = "approval.json"
_PLACE: Final = (".terraform", "approval")
_OWNERS: Final = 0o700
_WHAT: Final = {
    "folder": "it was made in another folder",
    "workspace": "it was made in another workspace",
    "plan": "the plan is another one",
    "configuration": "the configuration has changed",
    "providers": "other providers are locked",
    "variables": "the variables have changed",
    "assumptions": "what is vouched for has changed",
    "packages": "the packages are others",
}


@dataclass(frozen=True, slots=True)
class Approval:
    """What is approved.

    Attributes:
        facts: Each part of it, with its name or its SHA-256.
    """

    facts: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        plan: Path,
        *,
        folder: Path,
        workspace: str,
        variables: Sequence[Path],
        assumptions: Path | None,
        packages: Sequence[PlacedPackage],
    ) -> Approval:
        """Return what stands there to be approved.

        Raises:
            DeliveryError: Something of it cannot be read.
        """
        try:
            return cls(
                {
                    "folder": str(folder.resolve()),
                    "workspace": workspace,
                    "plan": sha256_of(plan),
                    "configuration": digest(folder),
                    "providers": sha256_of(folder / LOCK),
                    "variables": [digest(one) for one in variables],
                    "assumptions": digest(assumptions) if assumptions else None,
                    "packages": {str(one.kind): one.sha256 for one in packages},
                }
            )
        except (OSError, ProofError) as error:
            raise DeliveryError(f"What is to be approved cannot be read: {error}.") from None

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all of it, hexadecimal."""
        text = json.dumps(self.facts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def differing(self, now: Approval) -> list[str]:
        """Return a few words for each part that is not as it was approved."""
        return [said for name, said in _WHAT.items() if self.facts.get(name) != now.facts.get(name)]


def keep(approval: Approval, plan: Path, folder: Path) -> None:
    """Keep a plan until somebody approves it.

    Raises:
        DeliveryError: It cannot be written.
    """
    place = folder.joinpath(*_PLACE)
    try:
        forget(folder)
        place.mkdir(mode=_OWNERS, parents=True)
        shutil.copyfile(plan, place / PLAN)
        (place / _MANIFEST).write_text(json.dumps(approval.facts), encoding="utf-8")
    except OSError as error:
        raise DeliveryError(f"{place} cannot be written: {error.strerror}.") from None


def kept(wanted: str, folder: Path, into: Path) -> tuple[Approval, Path]:
    """Take the plan that waits, into a folder that nobody else writes to.

    Args:
        wanted: The digest that was approved.
        folder: The estate's.
        into: Where to.

    Raises:
        DeliveryError: None waits, or it is not what the digest says.
    """
    place, plan = folder.joinpath(*_PLACE), into / PLAN
    try:
        facts = json.loads((place / _MANIFEST).read_text(encoding="utf-8"))
        shutil.copyfile(place / PLAN, plan)
    except (OSError, ValueError, RecursionError):
        raise DeliveryError(
            f"No plan waits in {folder}: run the same without --approve, and have its digest "
            "approved."
        ) from None
    approval = Approval(facts if isinstance(facts, dict) else {})
    if approval.digest != wanted:
        raise DeliveryError(
            f"What waits in {folder} is {approval.digest}, and not what was approved: nothing was "
            "applied."
        )
    return approval, plan


def forget(folder: Path) -> None:
    """Remove the plan that waits, if one does."""
    place = folder.joinpath(*_PLACE)
    if place.is_symlink():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)
