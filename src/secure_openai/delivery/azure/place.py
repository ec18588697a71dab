"""Which applications are deployed to, and where packages wait for them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from secure_openai.delivery.azure.rest import may_have_storage_token
from secure_openai.delivery.package import Kind
from secure_openai.errors import DeliveryError

_SITE: Final = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[\w.()-]{1,90}"
    r"/providers/Microsoft\.Web/sites/[A-Za-z0-9][A-Za-z0-9-]{0,59}",
    re.IGNORECASE | re.ASCII,
)
_CONTAINER: Final = re.compile(r"/[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){2,62}")
_OUTPUTS: Final = {Kind.APP: "web", Kind.FUNCTIONS: "functions"}


@dataclass(frozen=True, slots=True)
class Place:
    """Applications and package storage.

    Attributes:
        sites: Resource id of each application.
        container: Address of the container that packages wait in, without a slash at its end.
    """

    sites: dict[Kind, str]
    container: str

    @property
    def account(self) -> str:
        """Return the origin of the storage account."""
        parts = urlsplit(self.container)
        return f"{parts.scheme}://{parts.netloc}"


def read_place(applications: Path, packages_url: str) -> Place:
    """Read the estate's output `applications`, and check bootstrap's `packages.container_url`.

    Raises:
        DeliveryError: One is not usable.
    """
    try:
        said = applications.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        said = ""
    return place_of(said, packages_url, named=str(applications))


def place_of(applications: str, packages_url: str, *, named: str) -> Place:
    """Return the place that the estate's output `applications` names.

    Args:
        applications: The output as JSON.
        packages_url: Bootstrap's `packages.container_url`.
        named: What a sentence calls the output.

    Raises:
        DeliveryError: One is not usable.
    """
    try:
        said: Any = json.loads(applications)
        sites = {kind: str(said[name]) for kind, name in _OUTPUTS.items()}
    except (ValueError, LookupError, TypeError, RecursionError):
        raise DeliveryError(
            f"{named} does not name the applications: terraform output -json applications "
            "writes it."
        ) from None
    for site in sites.values():
        if _SITE.fullmatch(site) is None:
            raise DeliveryError(f"{named} names {site!r}, which is no App Service's id.")
    return Place(sites, container_of(packages_url))


def container_of(packages_url: str) -> str:
    """Return the container's address, without a slash at its end.

    Raises:
        DeliveryError: It is none that our token may go to.
    """
    parts = urlsplit(packages_url.rstrip("/"))
    # Our token goes there: over TLS, to a container of Azure's and nothing else.
    ours = may_have_storage_token(packages_url)
    if not ours or _CONTAINER.fullmatch(parts.path) is None or parts.query:
        raise DeliveryError(
            "The address of packages is bootstrap's output packages.container_url, such as "
            "https://ACCOUNT.blob.core.windows.net/packages."
        )
    return packages_url.rstrip("/")
