"""The settings of our credential and of the way out: what every client of ours needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from secure_openai.environment import azure_host, given_values, variable_of
from secure_openai.errors import SettingsError


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
        parts = split(value)
        return tuple(str(one).lower() for one in parts) if isinstance(parts, tuple) else parts

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
    def _judged(self) -> Self:
        """Judge the fields together, and say everything that is wrong at once."""
        problems = list(self._problems())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def uses_credential(self) -> bool:
        """Return whether anything here asks Azure: then the credential must be complete."""
        return True

    def _problems(self) -> Iterator[str]:
        if not self.uses_credential:
            return
        kind = self.credential_kind
        if self.azure_host and kind is not CredentialKind.MANAGED_IDENTITY:
            yield (
                "the environment says that this is an Azure host: leave credential out, or write "
                "managed_identity"
            )
        if kind is CredentialKind.MANAGED_IDENTITY and not self.azure_client_id:
            yield "AZURE_CLIENT_ID is missing: write the client id of the managed identity"
        if kind is CredentialKind.PIPELINE and (missing := self._missing_of_pipeline):
            yield (
                f"a pipeline's credential needs {', '.join(missing)}: in GitHub Actions set "
                "`permissions: id-token: write`, and name the application's client and tenant"
            )

    @property
    def _missing_of_pipeline(self) -> list[str]:
        given = {
            "azure_client_id": self.azure_client_id,
            "azure_tenant_id": self.azure_tenant_id,
            "pipeline_token_url": self.pipeline_token_url,
            "pipeline_token_request": self.pipeline_token_request.get_secret_value(),
        }
        return [variable_of(name) for name, value in given.items() if not value]

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
        values: dict[str, object] = cls._mine(given_values(environment)) | overrides
        values["azure_host"] = azure_host(environment)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(*dict.fromkeys(cls._everything_wrong(values, error))) from None

    @classmethod
    def _everything_wrong(
        cls, values: Mapping[str, object], error: ValidationError
    ) -> Iterator[str]:
        """Yield what is wrong with each field, and with those that can be judged without it.

        Fields are judged together only where each of them is sound: a group of them that is sound
        by itself is judged by itself, however much of the others is missing.
        """
        for one in error.errors():
            yield from cls._lines(one)
        for group in cls.__mro__[1:]:
            if not issubclass(group, CredentialSettings):
                continue
            mine = {name: value for name, value in values.items() if name in group.model_fields}
            try:
                group.model_validate(mine)
            except ValidationError as more:
                for one in more.errors():
                    yield from cls._lines(one)

    @classmethod
    def _mine(cls, given: Mapping[str, str]) -> dict[str, object]:
        """Return what is said of these settings; the application has more."""
        return {name: value for name, value in given.items() if name in cls.model_fields}

    @classmethod
    def _lines(cls, item: Mapping[str, object]) -> list[str]:
        """Return what is wrong with a field, or with several together: one sentence each."""
        location = item.get("loc")
        name = str(location[0]) if isinstance(location, tuple) and location else ""
        message = str(item.get("msg", "")).removeprefix("Value error, ")
        variable = variable_of(name)
        match item.get("type"):
            case "missing":
                return [f"{variable} is missing: {cls.model_fields[name].description}"]
            case "extra_forbidden":
                return [f"{variable} is not a setting: check its spelling"]
            case _:
                return [f"{variable}: {line}" if name else line for line in message.splitlines()]


def split(value: object) -> object:
    """Return a text's parts between commas; anything else as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def plain_url(value: str) -> str:
    """Return an absolute address without the slash at its end; an empty one as it is.

    Raises:
        ValueError: It is none, or has parts that none of ours has.
    """
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write an absolute http or https address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("write the address without user, query or fragment")
    return value.rstrip("/")
