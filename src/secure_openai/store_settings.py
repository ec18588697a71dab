"""The settings of what is kept: in a folder of this machine, or in the slot's own part of Azure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from secure_openai.credential_settings import CredentialSettings
from secure_openai.environment import is_loopback, variable_of

FEATURES = {
    "cosmos_url": "conversations, quota, audit and sessions have no account to be kept in",
    "cosmos_database": "conversations, quota, audit and sessions have no database to be kept in",
    "blob_url": "seals of the audit, exports and attachments have no storage account to be kept in",
    "seals_container": "seals of the audit have no container to be kept in",
    "exports_container": "exports have no container to be kept in",
    "attachments_container": "what people attach to messages has no container to be kept in",
    "seal_key_url": "no key signs the audit's seals",
}
"""What is kept in Azure needs all of these: what each is for, should it be missing."""

CONTAINERS = ("seals_container", "exports_container", "attachments_container")

CONTAINER = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
"""Source: Azure Storage, "Naming and referencing containers, blobs, and metadata"."""

KEY_PATH = re.compile(r"/keys/[0-9a-zA-Z-]{1,127}(/[0-9a-f]{32})?")
"""Source: Azure Key Vault, "Object identifiers"."""


class StoreSettings(CredentialSettings):
    """Where everything is kept."""

    data: Path = Field(
        default=Path(".data"),
        description="Folder of the embedded stores; nothing is kept in it where cosmos_url is set.",
    )
    cosmos_url: str = Field(
        default="",
        description="In Azure: address of the Cosmos DB account; empty keeps everything in data.",
    )
    cosmos_database: str = Field(default="", description="In Azure: the slot's own database.")
    blob_url: str = Field(
        default="",
        description="In Azure: address of the storage account of seals, exports and attachments.",
    )
    seals_container: str = Field(
        default="", description="In Azure: the slot's own container of seals, which is immutable."
    )
    exports_container: str = Field(
        default="", description="In Azure: the slot's own container of exports."
    )
    attachments_container: str = Field(
        default="",
        description="In Azure: the slot's own container of what people attach to messages.",
    )
    attachments_total_bytes: int = Field(
        default=200_000_000,
        ge=1,
        description="How much a person's attachments may take together; each has 2 MB at most.",
    )
    seal_key_url: str = Field(
        default="", description="In Azure: address of the key that signs the audit's seals."
    )

    evidence_key_url: str = Field(
        default="",
        description="In Azure: address of the key that signs what `verify --inside` saw.",
    )

    @property
    def kept_in_azure(self) -> bool:
        """Return whether what is kept is kept in Azure, and its jobs run in the Function App."""
        return bool(self.cosmos_url)

    @property
    def uses_credential(self) -> bool:
        """Return whether anything here asks Azure."""
        return self.kept_in_azure

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if not any(getattr(self, name) for name in FEATURES):
            return
        for name, without in FEATURES.items():
            if not getattr(self, name):
                yield f"{variable_of(name)} is missing: without it {without}"
        cloud = self.cloud_facts
        yield from self._problem_of_address("cosmos_url", cloud.cosmos_domain)
        yield from self._problem_of_address("blob_url", cloud.blob_domain)
        yield from self._problem_of_address("seal_key_url", cloud.vault_domain, path=KEY_PATH)
        yield from self._problem_of_address("evidence_key_url", cloud.vault_domain, path=KEY_PATH)
        if self.evidence_key_url and self.evidence_key_url == self.seal_key_url:
            yield (
                f"{variable_of('evidence_key_url')} is the key of the seals: whoever signs "
                "evidence could sign seals"
            )
        for name in CONTAINERS:
            given = getattr(self, name)
            if given and not CONTAINER.fullmatch(given):
                yield (
                    f"{variable_of(name)}: a container's name has 3 to 63 characters: lower-case "
                    "letters, digits and single hyphens between them"
                )
        for name in CONTAINERS[1:]:
            if self.seals_container and self.seals_container == getattr(self, name):
                yield (
                    f"{variable_of(name)} is the container of the seals: what lies there cannot be "
                    "deleted, and this must be"
                )
        if self.exports_container and self.exports_container == self.attachments_container:
            yield (
                f"{variable_of('attachments_container')} is the container of the exports: what "
                "lies there is deleted after a day"
            )

    def _problem_of_address(
        self, name: str, domain: str, *, path: re.Pattern[str] | None = None
    ) -> Iterator[str]:
        """Our credential goes there: nobody else's host may get it."""
        url: str = getattr(self, name)
        if not url:
            return
        azures, here, parts = False, False, SplitResult("", "", "", "", "")
        with suppress(ValueError):
            parts = urlsplit(url)
            here = is_loopback(url) and not self.azure_host
            named = (parts.hostname or "").endswith(f".{domain}") and parts.port in {None, 443}
            azures = parts.scheme == "https" and named
        if not (here or azures) or parts.username or parts.password:
            yield (
                f"{variable_of(name)} is https and its host ends with {domain} in the cloud "
                f"{self.cloud}"
            )
        elif path is not None and not path.fullmatch(parts.path):
            yield f"{variable_of(name)} is a key's address: https://VAULT.{domain}/keys/NAME"
        elif parts.query or parts.fragment or (azures and path is None and parts.path.strip("/")):
            yield f"{variable_of(name)} is an address without path, query or fragment"
