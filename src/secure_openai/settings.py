"""The only place where the environment is read.

Every setting is one field: its name, its default, its help. `Settings.load()` reads the environment
once, finds every problem and raises them together.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from secure_openai.clouds import CLOUDS, Cloud
from secure_openai.errors import SettingsError

PREFIX = "SECURE_OPENAI_"

OTHERS_VARIABLES = {
    "azure_client_id": "AZURE_CLIENT_ID",
    "azure_tenant_id": "AZURE_TENANT_ID",
    "pipeline_token_url": "ACTIONS_ID_TOKEN_REQUEST_URL",
    "pipeline_token_request": "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
}
"""Fields whose environment variables are named by Azure's clients and by GitHub Actions.

Source: Azure SDK, "Environment variables"; GitHub, "OpenID Connect reference".
"""

AZURE_HOST_VARIABLES = (
    "WEBSITE_INSTANCE_ID",
    "WEBSITE_SITE_NAME",
    "FUNCTIONS_WORKER_RUNTIME",
    "IDENTITY_ENDPOINT",
    "CONTAINER_APP_NAME",
    "AZ_BATCH_NODE_ID",
)
"""Environment variables that only an Azure host sets; any of them means: not a laptop.

Source: Azure App Service, "Environment variables and app settings reference"; Azure Container
Apps, "Built-in environment variables".
"""


AZURE_FIELDS = (
    "blob_url",
    "cosmos_database",
    "cosmos_url",
    "federation_audience",
    "model_accounts",
    "seal_key_url",
)
"""Fields that the Terraform fills and that have no meaning on a laptop."""


class ModelSource(StrEnum):
    """Where completions come from."""

    AZURE = "azure"
    URL = "url"
    SCRIPTED = "scripted"


class CredentialKind(StrEnum):
    """How we prove ourselves to Azure; none of them is a key."""

    MANAGED_IDENTITY = "managed_identity"
    DEVELOPER = "developer"
    PIPELINE = "pipeline"


class CredentialSettings(BaseModel):
    """How we prove ourselves to Azure, and the way out: what every client of ours needs."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    cloud: str = Field(
        default="public",
        description="Azure's cloud: " + " or ".join(f"`{name}`" for name in CLOUDS) + ".",
    )
    credential: CredentialKind | None = Field(
        default=None,
        description="`managed_identity`, `developer` (the sign-in of az or azd) or `pipeline` "
        "(GitHub's OpenID Connect). Unless set: the managed identity on an Azure host, the "
        "pipeline's where GitHub offers one, the developer's elsewhere.",
    )
    azure_client_id: str = Field(
        default="",
        description="AZURE_CLIENT_ID: client id of the managed identity, or of the application "
        "that a pipeline signs in as.",
    )
    azure_tenant_id: str = Field(
        default="", description="AZURE_TENANT_ID: the tenant that a pipeline signs in to."
    )
    pipeline_token_url: str = Field(
        default="",
        description="ACTIONS_ID_TOKEN_REQUEST_URL, which GitHub sets: where a pipeline's token is.",
    )
    pipeline_token_request: SecretStr = Field(
        default=SecretStr(""),
        description="ACTIONS_ID_TOKEN_REQUEST_TOKEN, which GitHub sets: what asks for that token.",
    )

    proxy: SecretStr = Field(
        default=SecretStr(""),
        description="Address of the HTTP proxy by which every client leaves; empty for none. The "
        "managed identity and loopback are always reached directly.",
    )
    proxy_direct: tuple[str, ...] = Field(
        default=(),
        description="Host names reached without the proxy, separated by commas; one that begins "
        "with a dot is a domain. Services behind private endpoints belong here.",
    )
    ca_bundle: Path | None = Field(
        default=None,
        description="File of the certificates (PEM) that every client trusts instead of the "
        "system's.",
    )

    azure_host: bool = Field(
        default=False,
        description="Set by load(): whether the environment says that this is an Azure host.",
    )

    @field_validator("proxy_direct", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        split = _split(value)
        return tuple(str(one).lower() for one in split) if isinstance(split, tuple) else split

    @field_validator("cloud")
    @classmethod
    def _known_cloud(cls, value: str) -> str:
        if value not in CLOUDS:
            raise ValueError("write " + " or ".join(CLOUDS))
        return value

    @field_validator("proxy")
    @classmethod
    def _proxy_address(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("write the proxy's http or https address")
        return value

    @model_validator(mode="after")
    def _credential_fits(self) -> Self:
        kind = self.credential_kind
        if self.azure_host and kind is not CredentialKind.MANAGED_IDENTITY:
            raise ValueError(
                "the environment says that this is an Azure host: leave credential out, or write "
                "managed_identity"
            )
        if kind is CredentialKind.PIPELINE:
            missing = [
                variable
                for field, variable in OTHERS_VARIABLES.items()
                if not (
                    value.get_secret_value()
                    if isinstance(value := getattr(self, field), SecretStr)
                    else value
                )
            ]
            if missing:
                raise ValueError(
                    f"a pipeline's credential needs {', '.join(missing)}: in GitHub Actions, set "
                    "`permissions: id-token: write` and name the application's client and tenant"
                )
        return self

    @property
    def credential_kind(self) -> CredentialKind:
        """Return how we prove ourselves."""
        if self.credential is not None:
            return self.credential
        if self.azure_host:
            return CredentialKind.MANAGED_IDENTITY
        return CredentialKind.PIPELINE if self.pipeline_token_url else CredentialKind.DEVELOPER

    @property
    def cloud_facts(self) -> Cloud:
        """Return what is known of the cloud."""
        return CLOUDS[self.cloud]

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, **overrides: object) -> Self:
        """Read the environment once.

        Args:
            environment: What to read instead of the process's own.
            overrides: Fields that the caller decides, stronger than the environment.

        Raises:
            SettingsError: Every problem found, one sentence each.
        """
        source = _given(environment)
        values: dict[str, object] = {
            field: source[name] for field, name in OTHERS_VARIABLES.items() if name in source
        }
        values |= cls._prefixed(source)
        values |= overrides
        values["azure_host"] = azure_host(source)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(*(_sentence(item) for item in error.errors())) from None

    @classmethod
    def _prefixed(cls, source: Mapping[str, str]) -> dict[str, object]:
        """Return our own variables, without those of the application's other settings."""
        named = {f"{PREFIX}{name.upper()}": name for name in CredentialSettings.model_fields}
        return {named[key]: value for key, value in source.items() if key in named}


class Settings(CredentialSettings):
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

    data: Path = Field(default=Path(".data"), description="Folder of the embedded stores.")
    seal_minutes: int = Field(
        default=60, ge=1, description="How often this process seals the audit; also at its end."
    )
    policy: Path | None = Field(
        default=None, description="The policy file; the one that ships with the package unless set."
    )

    model_source: ModelSource = Field(
        default=ModelSource.URL, description="`url`, or `scripted` for tests and demonstrations."
    )
    model_url: str = Field(
        default="", description="OpenAI-compatible address, such as http://127.0.0.1:8402/v1."
    )
    model_deployments: tuple[str, ...] = Field(
        default=("local",),
        description="Deployment names that model_url serves, separated by commas.",
    )
    model_name: str = Field(default="", description="The model behind them, for people to read.")

    model_key: SecretStr = Field(
        default=SecretStr(""),
        description="Bearer credential that model_url asks for, if any. Azure OpenAI needs none.",
    )

    model_window_tokens: int = Field(
        default=8192, ge=256, description="Context window of those deployments."
    )
    model_answer_tokens: int = Field(
        default=1024, ge=16, description="Largest answer that those deployments give."
    )

    blob_url: str = Field(
        default="", description="In Azure: address of the storage account of seals and exports."
    )
    cosmos_database: str = Field(
        default="", description="In Azure: the slot's own database; empty keeps everything in data."
    )
    cosmos_url: str = Field(default="", description="In Azure: address of the Cosmos DB account.")
    federation_audience: str = Field(
        default="",
        description="In Azure: audience of the assertion that the managed identity vouches with.",
    )
    model_accounts: str = Field(
        default="",
        description="In Azure: the accounts as JSON, by name: id, url, priority and deployments.",
    )
    seal_key_url: str = Field(
        default="", description="In Azure: address of the key that signs the audit's seals."
    )

    body_limit_bytes: int = Field(
        default=1_048_576, ge=1024, description="Largest request body that is read."
    )

    @field_validator("allowed_hosts", "model_deployments", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return _split(value)

    @field_validator("public_url", "authority", "model_url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("write an absolute http or https address")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("write the address without user, query or fragment")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _origin_only(cls, value: str) -> str:
        if urlsplit(value).path:
            raise ValueError("write the origin only, without a path")
        return value

    @model_validator(mode="after")
    def _laptop_only_on_loopback(self) -> Self:
        """Refuse an http authority anywhere but on a laptop whose listeners are all on loopback."""
        if self.model_source is ModelSource.URL and not self.model_url:
            raise ValueError("model_url is missing: write the address of an OpenAI-compatible API")
        if urlsplit(self.authority).scheme == "https":
            if urlsplit(self.public_url).scheme != "https" and not is_loopback(self.public_url):
                raise ValueError("public_url must be https unless its host is loopback")
            return self
        if self.azure_host:
            raise ValueError(
                "authority is http and the environment says that this is an Azure host: "
                "write the https authority of your tenant"
            )
        for name in ("authority", "public_url"):
            if not is_loopback(getattr(self, name)):
                raise ValueError(f"authority is http, so {name} must be on loopback")
        if not is_loopback_host(self.listen_host):
            raise ValueError("authority is http, so listen_host must be a loopback address")
        return self

    @model_validator(mode="after")
    def _adapters_are_there(self) -> Self:
        """Refuse what would be ignored: this version keeps and asks on one machine only."""
        named = [name for name in AZURE_FIELDS if getattr(self, name)]
        if self.model_source is ModelSource.AZURE or named:
            what = ", ".join([*named] or ["model_source = azure"])
            raise ValueError(f"this version has no adapter for Azure's services yet ({what})")
        return self

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
    def _prefixed(cls, source: Mapping[str, str]) -> dict[str, object]:
        """Return our own variables, misspelt ones too: they are told."""
        return {
            key[len(PREFIX) :].lower(): value
            for key, value in source.items()
            if key.startswith(PREFIX)
        }


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _given(environment: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environment is None else environment


def child_environment(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child: ours, with `chosen` settings over those we were given."""
    return {**os.environ, **chosen}


def policy_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the policy file that the environment names, whatever else it lacks."""
    source = _given(environment)
    named = source.get(f"{PREFIX}POLICY", "").strip()
    return Path(named) if named else None


def model_accounts(environment: Mapping[str, str] | None = None) -> str:
    """Return the accounts that the environment names, as JSON; empty if it names none."""
    source = _given(environment)
    return source.get(f"{PREFIX}MODEL_ACCOUNTS", "").strip()


def model_key(environment: Mapping[str, str] | None = None) -> str:
    """Return the credential that the laptop's model server asks for; empty if none was given."""
    source = _given(environment)
    return source.get(f"{PREFIX}MODEL_KEY", "")


def azure_host(environment: Mapping[str, str] | None = None) -> bool:
    """Return whether the environment says that this is an Azure host."""
    source = _given(environment)
    return any(source.get(name) for name in AZURE_HOST_VARIABLES)


def is_loopback_host(host: str) -> bool:
    """Return whether a host name or address can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """Return whether an address's host can only mean this machine."""
    return is_loopback_host(urlsplit(url).hostname or "")


def _sentence(item: Mapping[str, object]) -> str:
    location = item.get("loc")
    name = str(location[0]) if isinstance(location, tuple) and location else ""
    message = str(item.get("msg", "")).removeprefix("Value error, ")
    kind = item.get("type")
    if kind == "missing":
        return f"{PREFIX}{name.upper()} is missing: {Settings.model_fields[name].description}"
    if kind == "extra_forbidden":
        return f"{PREFIX}{name.upper()} is not a setting: check its spelling"
    return f"{PREFIX}{name.upper()}: {message}" if name else message
