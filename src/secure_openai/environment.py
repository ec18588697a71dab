"""The only place where the environment is read: what it says of the host, and values of settings.

What each setting means stands in `settings.py`.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

PREFIX = "SECURE_OPENAI_"

TERMINAL_PREFIX = f"{PREFIX}CHAT_"
"""What `secure-openai chat` is told of a gateway elsewhere: options of a command, no settings."""

OTHERS_VARIABLES = {
    "azure_client_id": "AZURE_CLIENT_ID",
    "azure_tenant_id": "AZURE_TENANT_ID",
    "telemetry_connection_string": "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "pipeline_token_url": "ACTIONS_ID_TOKEN_REQUEST_URL",
    "pipeline_token_request": "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
}
"""Fields whose environment variables are named by Azure's clients and by GitHub Actions.

Source: Azure SDK, "Environment variables"; Azure Monitor OpenTelemetry, "Connection string";
GitHub, "OpenID Connect reference".
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


TALKATIVE_VARIABLES = (
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
)
"""What keeps Azure Monitor's exporters from speaking of themselves; `true` each.

They would report on themselves to a workspace of Microsoft's, and ask there how to behave: both
outside of the estate, whose networks let them through or make them wait. They would count every
item they send for a report to our own, past our proxy. There is no argument for it
(azure-monitor-opentelemetry-exporter, `statsbeat`, `statsbeat/customer`, `_configuration`).
"""


def _given(environment: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environment is None else environment


def child_environment(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child: ours, with `chosen` settings over those we were given."""
    return {**os.environ, **chosen}


def keep_within_the_estate() -> None:
    """Turn off what Azure Monitor's exporters would say to others, before they are imported."""
    for name in TALKATIVE_VARIABLES:
        os.environ[name] = "true"


def policy_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the policy file that the environment names, whatever else it lacks."""
    source = _given(environment)
    named = source.get(f"{PREFIX}POLICY", "").strip()
    return Path(named) if named else None


def appearance_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the appearance file that the environment names, whatever else it lacks."""
    named = _given(environment).get(f"{PREFIX}APPEARANCE", "").strip()
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


def function_host(environment: Mapping[str, str] | None = None) -> bool:
    """Return whether the environment says that this is a Function App."""
    return bool(_given(environment).get("FUNCTIONS_WORKER_RUNTIME"))


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


def given_values(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what the environment says of settings, by their names, misspelt ones too."""
    source = _given(environment)
    values = {field: source[name] for field, name in OTHERS_VARIABLES.items() if name in source}
    for key, value in source.items():
        if key.startswith(PREFIX) and not key.startswith(TERMINAL_PREFIX):
            values[key[len(PREFIX) :].lower()] = value
    return values


def variable_of(field: str) -> str:
    """Return the environment variable that a setting is read from."""
    return OTHERS_VARIABLES.get(field, PREFIX + field.upper())


def wants_colours(environment: Mapping[str, str] | None = None) -> bool:
    """Return whether whoever runs a command wants its colours in what is no terminal, as in a log.

    Source: https://force-color.org/
    """
    return bool(_given(environment).get("FORCE_COLOR"))
