"""The stand-in of the cloud that a simulation applies into: who we are, and what is there already.

It lives as long as one workspace. Two resources of one id collide here as they would in Azure, and
what one resource says of another (the roles of an application) is found here.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

NAMESPACE: Final = uuid.UUID("5ec0de00-0a1a-5e1f-9e57-51311a7ed000")
"""Every invented GUID is a version 5 UUID (RFC 9562) under this one."""

SUFFIXES: Final = {
    "public": {
        "login": "login.microsoftonline.com",
        "vault": "vault.azure.net",
        "storage": "core.windows.net",
        "documents": "documents.azure.com",
        "openai": "openai.azure.com",
        "cognitive": "cognitiveservices.azure.com",
        "sites": "azurewebsites.net",
        "search": "search.windows.net",
        "monitor": "monitor.azure.com",
        "insights": "in.applicationinsights.azure.com",
        "arm": "management.azure.com",
    },
    "usgovernment": {
        "login": "login.microsoftonline.us",
        "vault": "vault.usgovcloudapi.net",
        "storage": "core.usgovcloudapi.net",
        "documents": "documents.azure.us",
        "openai": "openai.azure.us",
        "cognitive": "cognitiveservices.azure.us",
        "sites": "azurewebsites.us",
        "search": "search.azure.us",
        "monitor": "monitor.azure.us",
        "insights": "in.applicationinsights.azure.us",
        "arm": "management.usgovcloudapi.net",
    },
    "china": {
        "login": "login.partner.microsoftonline.cn",
        "vault": "vault.azure.cn",
        "storage": "core.chinacloudapi.cn",
        "documents": "documents.azure.cn",
        "openai": "openai.azure.cn",
        "cognitive": "cognitiveservices.azure.cn",
        "sites": "chinacloudsites.cn",
        "search": "search.azure.cn",
        "monitor": "monitor.azure.cn",
        "insights": "in.applicationinsights.azure.cn",
        "arm": "management.chinacloudapi.cn",
    },
}
"""Host suffixes by the provider's `environment`. Source: Azure, "Azure Government compare with
global Azure" and "Developer guide, Azure China: check endpoints"."""


def guid(*parts: object) -> str:
    """Return the GUID that these parts always give."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(map(str, parts))))


@dataclass(eq=False)
class Cloud:
    """One tenant with one subscription.

    Attributes:
        subscription_id: What the provider block says, else a stand-in.
        environment: Which of Azure's clouds, as the azurerm provider names them.
        otherwise: Whether data sources answer yes, or no, where they would answer nothing; None if
            they answer nothing.
    """

    tenant_id: str = field(default_factory=lambda: guid("tenant"))
    subscription_id: str = field(default_factory=lambda: guid("subscription"))
    client_id: str = field(default_factory=lambda: guid("deployer", "client"))
    object_id: str = field(default_factory=lambda: guid("deployer", "object"))
    environment: str = "public"
    otherwise: bool | None = None
    _taken: dict[tuple[str, str], int] = field(default_factory=dict)
    _applications: dict[str, dict[str, Any]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def host(self, service: str) -> str:
        """Return the host suffix of a service in this cloud."""
        return SUFFIXES.get(self.environment, SUFFIXES["public"])[service]

    def configure(self, config: dict[str, Any]) -> None:
        """Take over what a provider block says about where it works."""
        for name in ("subscription_id", "tenant_id", "environment"):
            value = config.get(name)
            # azuread has names of its own for clouds; azurerm's are those of `SUFFIXES`.
            if name == "environment" and value not in SUFFIXES:
                continue
            if isinstance(value, str) and value:
                setattr(self, name, value)

    def take(self, kind: str, identifier: str) -> bool:
        """Note that an id exists; return whether it did not exist before."""
        with self._lock:
            key = (kind, identifier.lower())
            if key in self._taken:
                return False
            self._taken[key] = 1
            return True

    def keep(self, kind: str, identifier: str) -> None:
        """Note an id that the state already has."""
        with self._lock:
            self._taken[kind, identifier.lower()] = 1

    def release(self, kind: str, identifier: str) -> None:
        """Note that an id is gone."""
        with self._lock:
            self._taken.pop((kind, identifier.lower()), None)

    def register(self, application: dict[str, Any]) -> None:
        """Note an application by its client id."""
        with self._lock:
            self._applications[application["client_id"]] = application

    def application(self, client_id: Any) -> dict[str, Any]:
        """Return an application that was noted; empty if it is unknown."""
        with self._lock:
            return self._applications.get(client_id, {})

    def count(self, seed: str) -> int:
        """Return how many times something with this seed was asked for before."""
        with self._lock:
            number = self._counts.get(seed, 0)
            self._counts[seed] = number + 1
            return number
