"""Every setting is one field: its name, its default, its help.

`Settings.load()` reads the environment once, finds every problem and raises them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from secure_openai.clouds import CLOUDS
from secure_openai.credential_settings import plain_url, split
from secure_openai.environment import (
    AZURE_HOST_VARIABLES,
    PREFIX,
    azure_host,
    child_environment,
    is_loopback,
    is_loopback_host,
    model_key,
    policy_file,
    variable_of,
)
from secure_openai.model_settings import ModelSettings, ModelSource
from secure_openai.store_settings import StoreSettings

__all__ = [
    "AZURE_HOST_VARIABLES",
    "PREFIX",
    "ModelSource",
    "Settings",
    "azure_host",
    "child_environment",
    "is_loopback",
    "is_loopback_host",
    "model_key",
    "policy_file",
]


def ingestion_of(connection: str) -> str:
    """Return where a connection string sends telemetry, or `""`.

    Source: Azure Monitor, "Connection strings", schema.
    """
    pairs = (part.partition("=") for part in connection.split(";"))
    return {name.lower(): value for name, _, value in pairs}.get("ingestionendpoint", "")


class Settings(ModelSettings, StoreSettings):
    """Everything that differs between one installation and another."""

    public_url: str = Field(
        description="Origin that people type, without a path. Redirect addresses and cookies come "
        "from it and never from a request header.",
    )
    listen_host: str = Field(default="127.0.0.1", description="Address to listen on.")
    listen_port: int = Field(default=8400, ge=0, le=65535, description="Port to listen on.")
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Further Host values to answer to, separated by commas; the host of "
        "public_url is always one.",
    )

    authority: str = Field(
        description="Issuer that signs people in: https://login.microsoftonline.com/TENANT/v2.0 "
        "in Azure, the laptop's own issuer locally.",
    )
    tenant_id: str = Field(description="The only tenant whose principals are accepted.")
    client_id: str = Field(description="Client id of the web application.")
    audience: str = Field(
        default="",
        description="`aud` of access tokens for our API; the client id unless set (Entra's v2.0 "
        "access tokens carry the client id).",
    )
    scope: str = Field(default="access_as_user", description="`scp` that a person's token needs.")
    contact: str = Field(
        default="your administrator",
        description="Whom a person without a role is told to ask.",
    )

    session_idle_minutes: int = Field(default=60, ge=1, description="A session unused ends.")
    session_absolute_hours: int = Field(default=12, ge=1, description="A session used ends.")
    roles_check_minutes: int = Field(
        default=60, ge=1, description="How long roles are believed before they are asked again."
    )

    policy: Path | None = Field(
        default=None, description="The policy file; the one that ships with the package unless set."
    )

    appearance: Path | None = Field(
        default=None,
        description="The appearance file: name, logo, colours, welcome, notice, prompts and links; "
        "everything looks as it ships unless set.",
    )

    federation_audience: str = Field(
        default="",
        description="In Azure: audience of the assertion that the managed identity vouches with; "
        "the cloud's unless set.",
    )

    telemetry_connection_string: str = Field(
        default="",
        description="APPLICATIONINSIGHTS_CONNECTION_STRING: where traces, metrics and logs go; "
        "empty keeps them here. It names a place and opens nothing.",
    )
    trace_percent: float = Field(
        default=5.0,
        ge=0,
        le=100,
        description="How many of a hundred requests are traced. Metrics and logs are whole always.",
    )

    drain_seconds: int = Field(
        default=40,
        ge=0,
        le=3_600,
        description="How long answers under way may go on after the process was asked to end; what "
        "comes meanwhile is refused with 503. Azure waits for WEBSITES_CONTAINER_STOP_TIME_LIMIT "
        "seconds (60 in the estate): leave it fifteen.",
    )

    resume_grace_seconds: float = Field(
        default=15.0,
        ge=0,
        le=300,
        description="How long an answer in the chat goes on while nobody listens: a connection "
        "that comes back within it loses nothing. After it the answer ends, marked interrupted.",
    )

    requests_at_once: int = Field(
        default=2_000,
        ge=1,
        le=100_000,
        description="How many requests one process answers at once; one more is told to ask again. "
        "As many small bodies may be on their way beside them.",
    )
    body_limit_bytes: int = Field(
        default=1_048_576, ge=1024, description="Largest request body that is read."
    )
    image_body_limit_bytes: int = Field(
        default=29_360_128,
        ge=1024,
        description="Largest body where images are read: chat completions and responses.",
    )
    bodies_at_once_bytes: int = Field(
        default=134_217_728,
        ge=1024,
        description="What all bodies together take that are over 64 KiB, until each is answered; "
        "the process needs up to four times as much memory. One principal has a quarter of it.",
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return split(value)

    @field_validator("policy", "appearance", mode="before")
    @classmethod
    def _no_path(cls, value: object) -> object:
        # An empty path would be the folder that we stand in.
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("public_url", "authority")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        return plain_url(value)

    @field_validator("public_url")
    @classmethod
    def _origin_only(cls, value: str) -> str:
        if urlsplit(value).path:
            raise ValueError("write the origin only, without a path")
        return value

    @property
    def uses_credential(self) -> bool:
        """Return whether anything asks Azure: stores, models, telemetry, or sign-in there."""
        signs_in = self.azure_host and urlsplit(self.authority).scheme == "https"
        sends = bool(self.telemetry_connection_string)
        answers = self.model_source is ModelSource.AZURE
        return signs_in or sends or answers or self.kept_in_azure

    @property
    def telemetry_url(self) -> str:
        """Return where telemetry is sent, or `""`."""
        return ingestion_of(self.telemetry_connection_string)

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        yield from self._problems_of_sign_in()
        yield from self._problems_of_telemetry()

    def _problems_of_sign_in(self) -> Iterator[str]:
        """An http authority is a laptop's, whose listeners are all on loopback."""
        cloud = self.cloud_facts
        for other in CLOUDS.values():
            if other is not cloud and self.authority.startswith(other.authority):
                yield f"authority signs in to the cloud {other.name}: write {other.name} as cloud"
        if self.federation_audience not in {"", cloud.federation_audience}:
            yield f"federation_audience is {cloud.federation_audience} in the cloud {cloud.name}"
        if urlsplit(self.authority).scheme == "https":
            if urlsplit(self.public_url).scheme != "https" and not is_loopback(self.public_url):
                yield "public_url must be https unless its host is loopback"
            return
        if self.azure_host:
            yield (
                "authority is http and the environment says that this is an Azure host: "
                "write the https authority of your tenant"
            )
            return
        for name in ("authority", "public_url"):
            if not is_loopback(getattr(self, name)):
                yield f"authority is http, so {name} must be on loopback"
        if not is_loopback_host(self.listen_host):
            yield "authority is http, so listen_host must be a loopback address"

    def _problems_of_telemetry(self) -> Iterator[str]:
        if not self.telemetry_connection_string:
            return
        parts, domain = urlsplit(self.telemetry_url), self.cloud_facts.telemetry_domain
        if is_loopback(self.telemetry_url) and not self.azure_host:
            return
        # Our credential goes there: nobody else's host may get it.
        if parts.scheme != "https" or not (parts.hostname or "").endswith(f".{domain}"):
            yield (
                f"{variable_of('telemetry_connection_string')}: its IngestionEndpoint is https and "
                f"ends with {domain} in the cloud {self.cloud}"
            )

    @property
    def token_audience(self) -> str:
        """Return the `aud` that access tokens must carry."""
        return self.audience or self.client_id

    @property
    def secure_cookies(self) -> bool:
        """Return whether cookies carry `__Host-` and Secure: always, on https."""
        return urlsplit(self.public_url).scheme == "https"

    @property
    def hosts(self) -> frozenset[str]:
        """Return the Host values that are answered, lower-case, with port where one is written."""
        return frozenset(
            host.lower() for host in (urlsplit(self.public_url).netloc, *self.allowed_hosts)
        )

    @classmethod
    def _mine(cls, given: Mapping[str, str]) -> dict[str, object]:
        """Return everything that is said, misspelt names too: they are told."""
        return dict(given)
