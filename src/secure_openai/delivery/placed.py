"""Packages as `secure-openai package` left them in a folder, compared with their digests."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from secure_openai.delivery.package import Kind
from secure_openai.delivery.wheels import sha256_of
from secure_openai.errors import DeliveryError

_LINE: Final = re.compile(r"(?P<sha>[0-9a-f]{64})  (?P<name>[a-z]+\.zip)\n")


@dataclass(frozen=True, slots=True)
class PlacedPackage:
    """A package on its way.

    Attributes:
        kind: Which application it is.
        path: The zip.
        sha256: Its digest, in hexadecimal.
    """

    kind: Kind
    path: Path
    sha256: str


def packages_in(folder: Path) -> list[PlacedPackage]:
    """Return both packages of a folder.

    Raises:
        DeliveryError: One is missing, or differs from the digest beside it.
    """
    return [_package(folder, kind) for kind in Kind]


def taken(packages: Sequence[PlacedPackage], into: Path) -> list[PlacedPackage]:
    """Copy packages to where nobody else writes, and return the copies.

    A path may name another file each time it is opened: what is uploaded is what was hashed.

    Args:
        packages: As `packages_in` found them.
        into: A folder of our own (mode 0700).

    Raises:
        DeliveryError: A copy is another package, or cannot be made.
    """
    return [_copied(one, into / f"{one.kind}.zip") for one in packages]


def _copied(package: PlacedPackage, to: Path) -> PlacedPackage:
    try:
        shutil.copyfile(package.path, to)
        digest = sha256_of(to)
    except OSError as error:
        raise DeliveryError(f"{package.path} cannot be copied: {error.strerror}.") from None
    if digest != package.sha256:
        raise DeliveryError(
            f"{package.path} was changed while it was read: find out who wrote it, and make the "
            "package again."
        )
    return PlacedPackage(package.kind, to, digest)


def _package(folder: Path, kind: Kind) -> PlacedPackage:
    path, beside = folder / f"{kind}.zip", folder / f"{kind}.sha256"
    try:
        said = _LINE.fullmatch(beside.read_text(encoding="ascii"))
        digest = sha256_of(path)
    except (OSError, UnicodeDecodeError):
        raise DeliveryError(
            f"{folder} holds no package {kind}: run secure-openai package {kind} --output {folder}"
        ) from None
    if said is None or said.group("name") != path.name or said.group("sha") != digest:
        raise DeliveryError(f"{path} differs from the digest beside it: make the package again.")
    return PlacedPackage(kind, path, digest)
