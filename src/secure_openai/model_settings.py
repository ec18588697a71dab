"""The settings of the models: who answers, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from secure_openai.accounts import ModelAccount, read_accounts
from secure_openai.credential_settings import CredentialSettings, plain_url, split
from secure_openai.environment import is_loopback


class ModelSource(StrEnum):
    """Where completions come from."""

    AZURE = "azure"
    URL = "url"
    SCRIPTED = "scripted"


class ModelSettings(CredentialSettings):
    """Where completions come from."""

    model_source: ModelSource = Field(
        default=ModelSource.URL,
        description="`azure`, `url`, or `scripted` for tests and demonstrations.",
    )
    model_accounts: tuple[ModelAccount, ...] = Field(
        default=(),
        description="Where `azure` asks: the accounts as JSON, by name: url, priority, "
        "deployments, and the id by which they are managed.",
    )
    model_api_version: str = Field(
        default="",
        pattern=r"^(\d{4}-\d{2}-\d{2}(-preview)?)?$",
        description="A dated version of Azure OpenAI's API, such as 2024-10-21, for addresses by "
        "deployment; empty asks at /openai/v1.",
    )
    retirement_days: int = Field(
        default=60, ge=1, description="How long before its model retires a deployment is warned of."
    )
    model_connect_seconds: float = Field(
        default=5.0, gt=0, description="How long to wait for a connection to a model."
    )
    model_first_byte_seconds: float = Field(
        default=60.0, gt=0, description="How long to wait for the first event of a stream."
    )
    model_whole_seconds: float = Field(
        default=110.0,
        gt=0,
        description="How long all of an answer may take that is not streamed; the estate's gateway "
        "waits two minutes.",
    )
    model_idle_seconds: float = Field(
        default=110.0,
        gt=0,
        description="How long an answer that has begun may pause: a reasoning model thinks in "
        "silence.",
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

    model_images: bool = Field(default=False, description="Whether those deployments read images.")

    @field_validator("model_deployments", mode="before")
    @classmethod
    def _split_deployments(cls, value: object) -> object:
        return split(value)

    @field_validator("model_url")
    @classmethod
    def _plain_model_url(cls, value: str) -> str:
        return plain_url(value)

    @field_validator("model_accounts", mode="before")
    @classmethod
    def _read_accounts(cls, value: object) -> object:
        if isinstance(value, str):
            return read_accounts(value) if value.strip() else ()
        return value

    @property
    def uses_credential(self) -> bool:
        """Return whether the models ask Azure."""
        return self.model_source is ModelSource.AZURE

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if self.model_source is ModelSource.URL and not self.model_url:
            yield "model_url is missing: write the address of an OpenAI-compatible API"
        if self.model_source is not ModelSource.AZURE:
            return
        if not self.model_accounts:
            yield "model_accounts is missing: name the accounts that answer"
        domains = self.cloud_facts.model_domains
        for account in self.model_accounts:
            parts = urlsplit(account.url)
            if is_loopback(account.url) and not self.azure_host:
                continue
            # Our credential goes there: nobody else's host may get it.
            if parts.scheme != "https" or not (parts.hostname or "").endswith(
                tuple(f".{domain}" for domain in domains)
            ):
                yield (
                    f"model_accounts: {account.name}'s url is https and ends with "
                    f"{' or '.join(domains)} in the cloud {self.cloud}"
                )
