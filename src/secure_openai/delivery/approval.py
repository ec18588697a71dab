"""What a person approves of an estate: one plan, of one folder and workspace, with its packages.

A plan file brings its own configuration and says where its state is, so it is taken for what was
approved only with everything that it was made from, and with where it and its packages go: the
digest that is approved is of all of it.
Between planning and applying it waits in the folder's `.terraform`, for its owner alone, because a
plan holds what is sensitive.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.terraform import LOCK, Terraform
from secure_openai.delivery.wheels import sha256_of
from secure_openai.errors import DeliveryError, ProofError
from secure_openai.posture.report.subject import digest

PLAN: Final = "estate.tfplan"

_MANIFEST: Final = "approval.json"
_PLACE: Final = (".terraform", "approval")
_MODULES: Final = (".terraform", "modules", "modules.json")
_OWNERS: Final = 0o700
_WHAT: Final = {
    "folder": "it was made in another folder",
    "workspace": "it was made in another workspace",
    "plan": "the plan is another one",
    "configuration": "the configuration has changed",
    "modules": "its modules have changed",
    "providers": "other providers are locked",
    "variables": "the variables have changed",
    "assumptions": "what is vouched for has changed",
    "backend": "the file of the backend is another one",
    "state": "its state is kept somewhere else",
    "subscriptions": "the subscription is another one",
    "packages": "the packages are others",
    "packages_url": "packages wait somewhere else",
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
        terraform: Terraform,
        subscriptions: Sequence[str],
        variables: Sequence[Path],
        assumptions: Path | None,
        backend: Path | None,
        packages: Sequence[PlacedPackage],
        packages_url: str,
    ) -> Approval:
        """Return what stands there to be approved: what it is made from, and where it goes.

        Raises:
            DeliveryError: Something of it cannot be read, or is a link.
        """
        folder = terraform.folder
        try:
            return cls(
                {
                    "folder": str(folder),
                    "workspace": terraform.workspace,
                    "plan": sha256_of(plan),
                    "configuration": digest(folder),
                    "modules": _modules(folder),
                    "providers": sha256_of(folder / LOCK),
                    "variables": [digest(one) for one in variables],
                    "assumptions": digest(assumptions) if assumptions else None,
                    "backend": digest(backend) if backend else None,
                    "state": terraform.kept_at,
                    "subscriptions": list(subscriptions),
                    "packages": {str(one.kind): one.sha256 for one in packages},
                    "packages_url": packages_url,
                }
            )
        except OSError as error:
            raise DeliveryError(
                f"{error.filename} is to be approved, and cannot be read: {error.strerror}."
            ) from None
        except ProofError as error:
            raise DeliveryError(f"This cannot be approved: {error.detail}") from None

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all of it, hexadecimal."""
        text = json.dumps(self.facts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def differing(self, now: Approval) -> list[str]:
        """Return a few words for each part that is not as it was approved."""
        return [said for name, said in _WHAT.items() if self.facts.get(name) != now.facts.get(name)]


def _modules(folder: Path) -> list[list[str]]:
    """Return the digest of each module that the folder's own does not cover, by its place.

    Terraform runs what `modules.json` lists: below `.terraform`, hidden, or outside of the folder.

    Raises:
        DeliveryError: The list is none.
        ProofError: A module cannot be read, or has a link.
    """
    listing = folder.joinpath(*_MODULES)
    try:
        listed = {str(one["Dir"]) for one in json.loads(listing.read_bytes())["Modules"]}
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise DeliveryError(
            f"{listing} lists no modules: remove it, and run 'terraform -chdir={folder} get'."
        ) from None
    places = {one: Path(os.path.normpath(folder / one)) for one in listed}
    return [
        [one, digest(place)] for one, place in sorted(places.items()) if not _within(folder, place)
    ]


def _within(folder: Path, place: Path) -> bool:
    """Return whether the folder's digest covers a place."""
    if not place.is_relative_to(folder):
        return False
    return not any(one.startswith(".") for one in place.relative_to(folder).parts)


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
