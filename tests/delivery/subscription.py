"""A subscription in Azure Resource Manager's shapes, and Microsoft Graph beside it.

Source of the shapes: the REST API's reference of each provider, at the versions below. Whoever asks
without one, or with a token that is not for it, is refused as Azure refuses.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from secure_openai.delivery.doctor.needs import Needs
from tests.model.management.resource_manager import arm_error, model, sku

TENANT = "11111111-1111-1111-1111-111111111111"
OTHER = "99999999-9999-4999-8999-999999999999"
REMOTE = f"/subscriptions/{OTHER}/resourceGroups/rg-hub/providers/Microsoft.Network"

Json = dict[str, Any]

WHO = "33333333-3333-4333-8333-333333333333"
BEARER = f"Bearer one.{base64.urlsafe_b64encode(json.dumps({'oid': WHO}).encode()).decode()}.one"
"""What is accepted of whoever is signed in: Azure alone reads more of it than this."""

PAGE = 7
"""As much of a list as one answer holds."""


def offered(*versions: tuple[str, str]) -> list[Json]:
    """Return models as a region lists them, sold as data zone and global."""
    return [{"kind": "OpenAI", "skuName": "S0", "model": model(*one)} for one in versions]


MODELS = (
    ("gpt-5.4-mini", "2026-03-17"),
    ("gpt-5.1", "2025-11-13"),
    ("text-embedding-3-small", "1"),
)


@dataclass
class Subscription:
    """What a subscription says of itself; everything may be changed before it is asked.

    Attributes:
        id: Its id.
        tenant: Its tenant.
        state: `Enabled` …
        unregistered: Namespaces that are not registered.
        features: State of features by name.
        permissions: Of who asks, by scope; `""` for every other.
        models: By region.
        usages: Name of a quota to what is used and its limit, by region.
        taken: Names that somebody has.
        deleted: What was deleted and is kept, by `deletedVaults` and its like.
        resources: Ids that stand.
        networks: Virtual networks.
        assignments: Of policies.
        roles: Assignments of roles.
        definitions: Of policies and roles, by id.
        anybody: Whether every user may make applications.
        refused: Ends of paths that are answered with 403, by the action that it takes.
        throttled: How many requests are answered with 429 first.
        accepts: Says of an `Authorization` and an audience whether it holds.
        elsewhere: Where a list leads on for its rest, instead of here.
        seen: Method and path of everything that was asked.
    """

    id: str
    tenant: str = TENANT
    state: str = "Enabled"
    unregistered: set[str] = field(default_factory=set)
    features: dict[str, str] = field(default_factory=dict)
    permissions: dict[str, list[Json]] = field(
        default_factory=lambda: {"": [{"actions": ["*"], "notActions": []}]}
    )
    models: dict[str, list[Json]] = field(default_factory=dict)
    usages: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    deleted: dict[str, list[Json]] = field(default_factory=dict)
    resources: list[str] = field(default_factory=list)
    networks: list[Json] = field(default_factory=list)
    assignments: list[Json] = field(default_factory=list)
    roles: list[Json] = field(default_factory=list)
    definitions: dict[str, Json] = field(default_factory=dict)
    anybody: bool = True
    refused: dict[str, str] = field(default_factory=dict)
    throttled: int = 0
    accepts: Callable[[str, str], bool] = lambda header, _: header == BEARER
    elsewhere: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def healthy(cls, needs: Needs) -> Subscription:
        """Return one in which nothing is in the way of an estate."""
        regions = {one.region for one in needs.deployments}
        quota = {
            f"OpenAI.{kind}.{name}": (0.0, 300.0)
            for name, _ in MODELS
            for kind in ("DataZoneStandard", "GlobalStandard")
        }
        return cls(
            needs.subscription,
            models={region: offered(*MODELS) for region in regions},
            usages={region: dict(quota) for region in regions},
            features={one.name: "Registered" for one in needs.features},
            networks=[network("vnet-other", needs.subscription, "10.200.0.0/16")],
        )

    def app(self) -> Starlette:
        """Return the server."""
        return Starlette(
            routes=[
                Route("/v1.0/policies/authorizationPolicy", self._graph),
                Route("/{path:path}", self._answer, methods=["GET", "HEAD", "POST"]),
            ]
        )

    async def _graph(self, request: Request) -> Response:
        if not self.accepts(
            request.headers.get("authorization", ""), "https://graph.microsoft.com"
        ):
            return arm_error(401, "InvalidAuthenticationToken")
        allowed = {"defaultUserRolePermissions": {"allowedToCreateApps": self.anybody}}
        return JSONResponse(allowed)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        self.seen.append((request.method, path))
        if self.throttled:
            self.throttled -= 1
            return arm_error(429, "TooManyRequests", Retry_After="0")
        if not self.accepts(
            request.headers.get("authorization", ""), "https://management.azure.com"
        ):
            return arm_error(401, "InvalidAuthenticationToken")
        if not request.query_params.get("api-version"):
            return arm_error(400, "MissingApiVersionParameter")
        for end, action in self.refused.items():
            if path.lower().endswith(end.lower()):
                says = f"The client '…' does not have authorization to perform action '{action}'"
                return arm_error(403, "AuthorizationFailed", says)
        body = await request.json() if request.method == "POST" else {}
        found = self._found(path, body)
        if isinstance(found, list):
            who = re.fullmatch(r"assignedTo\('(.+)'\)", request.query_params.get("$filter", ""))
            if who is not None:
                found = [one for one in found if one["properties"]["principalId"] == who.group(1)]
            return self._page(found, request)
        return found or arm_error(404, "ResourceNotFound")

    def _page(self, values: list[Json], request: Request) -> Response:
        """Return a part of a list, and where the rest is."""
        begin = int(request.query_params.get("$skiptoken", "0"))
        page: Json = {"value": copy.deepcopy(values[begin : begin + PAGE])}
        if begin + PAGE < len(values):
            origin = self.elsewhere or f"https://{request.headers['host']}"
            query = f"api-version={request.query_params['api-version']}"
            more = f"{origin}{request.url.path}?{query}&%24skiptoken={begin + PAGE}"
            page["nextLink"] = more
        return JSONResponse(page)

    def _found(self, path: str, body: Json) -> Response | list[Json] | None:
        own = f"/subscriptions/{self.id}"
        permissions = "/providers/Microsoft.Authorization/permissions"
        if "/databaseAccountNames/" in path:
            return Response(status_code=200 if path.rpartition("/")[2] in self.taken else 404)
        if path.endswith(permissions):
            scope = path.removesuffix(permissions)
            return self.permissions.get(scope, self.permissions[""])
        if path in self.definitions:
            return JSONResponse({"id": path, "properties": self.definitions[path]})
        if path == own:
            return self._itself()
        if not path.startswith(f"{own}/"):
            return arm_error(404, "SubscriptionNotFound")
        within = path.removeprefix(f"{own}/").removeprefix("providers/")
        return self._checked(within, body) if body else self._listed(within)

    def _itself(self) -> Response:
        if self.tenant == OTHER:
            return arm_error(401, "InvalidAuthenticationTokenTenant")
        return JSONResponse(
            {"subscriptionId": self.id, "tenantId": self.tenant, "state": self.state}
        )

    def _checked(self, path: str, body: Json) -> Response:
        name = body.get("name") or body["subdomainName"]
        free = name not in self.taken
        if path.endswith("checkDomainAvailability"):
            return JSONResponse({"isSubdomainAvailable": free, "kind": body["kind"]})
        reason = {} if free else {"reason": "AlreadyExists"}
        return JSONResponse({"nameAvailable": free, **reason})

    def _listed(self, path: str) -> Response | list[Json] | None:
        values: list[Json] | None = None
        match path.split("/"):
            case ["providers"]:
                values = [{"namespace": one, **self._registered(one)} for one in PROVIDERS]
            case ["resources"]:
                values = [{"id": one} for one in self.resources]
            case ["Microsoft.Features", "providers", _, "features", name]:
                state = self.features.get(name, "NotRegistered")
                return JSONResponse({"name": name, "properties": {"state": state}})
            case ["Microsoft.CognitiveServices", "locations", region, "models"]:
                values = self.models.get(region, [])
            case ["Microsoft.CognitiveServices", "locations", region, "usages"]:
                values = [
                    {"name": {"value": name}, "currentValue": used, "limit": limit}
                    for name, (used, limit) in self.usages.get(region, {}).items()
                ]
            case [_, ("deletedVaults" | "deletedAccounts" | "deletedWorkspaces") as kind]:
                values = self.deleted.get(kind, [])
            case ["Microsoft.Network", "virtualNetworks"]:
                values = self.networks
            case ["Microsoft.Authorization", "policyAssignments"]:
                values = self.assignments
            case [*_, "roleAssignments"]:
                values = self.roles
        return values

    def _registered(self, namespace: str) -> Json:
        missing = namespace in self.unregistered
        return {"registrationState": "NotRegistered" if missing else "Registered"}


PROVIDERS = (
    "Microsoft.Authorization",
    "Microsoft.CognitiveServices",
    "Microsoft.Compute",
    "Microsoft.DocumentDB",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Resources",
    "Microsoft.Storage",
    "Microsoft.Web",
)


def network(name: str, subscription: str, *prefixes: str) -> Json:
    """Return a virtual network."""
    return {
        "id": f"/subscriptions/{subscription}/resourceGroups/rg-other/providers"
        f"/Microsoft.Network/virtualNetworks/{name}",
        "name": name,
        "properties": {"addressSpace": {"addressPrefixes": list(prefixes)}},
    }


def regional(name: str, version: str, **more: Any) -> Json:
    """Return a model of a region with facts of its own."""
    skus = more.pop("sold", None) or [sku("DataZoneStandard", name), sku("GlobalStandard", name)]
    return {"kind": "OpenAI", "skuName": "S0", "model": model(name, version, *skus, **more)}
