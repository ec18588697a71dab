"""A server in Azure Resource Manager's shapes: accounts, models, usages, deployments, operations.

Shapes are those of the REST API's reference, version 2025-09-01; how long operations answer is that
of "Track asynchronous Azure operations". What it answers can be changed, request by request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
GROUP = "rg-chat-app"
ACCOUNT = "oai-chat-main-1a2b3"
ACCOUNT_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    f"/providers/Microsoft.CognitiveServices/accounts/{ACCOUNT}"
)
TOKEN = "a-token-for-resource-manager"
API_VERSION = "2025-09-01"
REGION = "swedencentral"

_LOCATION = "/subscriptions/{subscription}/providers/Microsoft.CognitiveServices/locations/{region}"
_ACCOUNT = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.CognitiveServices"
    "/accounts/{account}"
)


def sku(name: str, model: str, **capacity: Any) -> dict[str, Any]:
    """Return a SKU of a model."""
    return {
        "name": name,
        "usageName": f"OpenAI.{name}.{model}",
        "capacity": {"minimum": 1, "maximum": 1000, "step": 1, "default": 10} | capacity,
    }


def model(name: str, version: str, *skus: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a model as an account lists it."""
    return {
        "format": "OpenAI",
        "name": name,
        "version": version,
        "isDefaultVersion": False,
        "lifecycleStatus": "GenerallyAvailable",
        "maxCapacity": 3,
        "capabilities": {"chatCompletion": "true"},
        "skus": list(skus) or [sku("DataZoneStandard", name), sku("GlobalStandard", name)],
        **more,
    }


MODELS = [
    model(
        "gpt-5.1",
        "2025-11-13",
        isDefaultVersion=True,
        deprecation={"inference": "2027-05-15T00:00:00Z", "deprecationStatus": "Planned"},
        replacementConfig={"targetModelName": "gpt-5.5", "targetModelVersion": "2026-04-24"},
    ),
    model("gpt-5.4-mini", "2026-03-17", isDefaultVersion=True),
    model(
        "gpt-4o",
        "2024-11-20",
        isDefaultVersion=True,
        deprecation={"inference": "2026-03-31T00:00:00Z"},
        replacementConfig={"targetModelName": "gpt-5.1", "targetModelVersion": "2025-11-13"},
        lifecycleStatus="Deprecated",
    ),
    model("gpt-5.9", "2026-08-01", lifecycleStatus="Preview", isDefaultVersion=True),
    model("gpt-5.9", "2026-07-01", lifecycleStatus="Deprecating"),
    model(
        "gpt-5.6",
        "2026-06-01",
        sku("ProvisionedManaged", "gpt-5.6", minimum=15, maximum=100, step=5, default=15),
        sku("GlobalBatch", "gpt-5.6", allowedValues=[50, 100]),
        isDefaultVersion=True,
    ),
]
USAGES = [
    {
        "unit": "Count",
        "name": {"value": "OpenAI.DataZoneStandard.gpt-5.1", "localizedValue": "…"},
        "currentValue": 250.0,
        "limit": 300.0,
    },
    {
        "unit": "Count",
        "name": {"value": "OpenAI.GlobalStandard.gpt-5.1", "localizedValue": "…"},
        "currentValue": 0.0,
        "limit": 1000.0,
    },
    {"unit": "Count", "name": {"value": "AccountCount"}, "currentValue": 1.0, "limit": 30.0},
]


def deployment(name: str, model: str = "gpt-5.1", **properties: Any) -> dict[str, Any]:
    """Return a deployment as the service keeps it."""
    return {
        "id": f"{ACCOUNT_ID}/deployments/{name}",
        "type": "Microsoft.CognitiveServices/accounts/deployments",
        "name": name,
        "etag": f'"{name}-1"',
        "sku": {"name": "DataZoneStandard", "capacity": 50},
        "systemData": {
            "createdBy": "someone@contoso.example",
            "createdAt": "2026-08-01T10:00:00.0000000Z",
            "lastModifiedAt": "2026-08-01T10:00:00.0000000Z",
        },
        "properties": {
            "model": {"format": "OpenAI", "name": model, "version": "2025-11-13"},
            "provisioningState": "Succeeded",
            "raiPolicyName": "secure-openai",
            "versionUpgradeOption": "NoAutoUpgrade",
        }
        | properties,
    }


def arm_error(status: int, code: str, message: str = "…", **headers: str) -> Response:
    """Return an error in Azure Resource Manager's shape."""
    body = {"error": {"code": code, "message": message}}
    return JSONResponse(
        body,
        status_code=status,
        headers={key.replace("_", "-"): value for key, value in headers.items()},
    )


@dataclass
class ResourceManager:
    """The server's state, and how it answers.

    Attributes:
        deployments: By name.
        way: `operation`, `location`, `resource`, `at once`, or `elsewhere` for headers that name
            another host.
        steps: What an operation says, one answer each; the last is repeated.
        answers: What to answer instead, by method and the path's last part; each once.
        seen: Every request: method, path with query, and body.
    """

    url: str = ""
    deployments: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"chat": deployment("chat")}
    )
    way: str = "operation"
    steps: list[Any] = field(default_factory=lambda: ["Running", "Succeeded"])
    retry_after: str = "0"
    answers: dict[tuple[str, str], list[Response]] = field(default_factory=dict)
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    operations: dict[str, tuple[list[Any], Callable[[], None]]] = field(default_factory=dict)

    def answer(self, method: str, last: str, response: Response, times: int = 1) -> None:
        """Answer so instead, `times` times."""
        self.answers.setdefault((method, last), []).extend([response] * times)

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Return what changed something: method and the deployment's name."""
        return [
            (method, path.partition("?")[0].rpartition("/")[2])
            for method, path, _ in self.seen
            if method in {"PUT", "PATCH", "POST", "DELETE"}
        ]

    def app(self) -> Starlette:
        """Return the server."""
        routes = [
            (f"{_ACCOUNT}", self._account),
            (f"{_ACCOUNT}/models", self._models),
            (f"{_ACCOUNT}/raiPolicies", self._filters),
            (f"{_ACCOUNT}/deployments", self._list),
            (f"{_ACCOUNT}/deployments/{{name}}", self._deployment),
            (f"{_LOCATION}/usages", self._usages),
            (f"{_LOCATION}/operationResults/{{id}}", self._operation),
        ]
        return Starlette(
            routes=[
                Route(path, self._guarded(handler), methods=["GET", "PUT", "PATCH", "DELETE"])
                for path, handler in routes
            ]
        )

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: Request) -> Response:
            body = await request.json() if await request.body() else None
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            self.seen.append((request.method, path, body))
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return arm_error(401, "InvalidAuthenticationToken")
            if request.query_params.get("api-version") != API_VERSION:
                return arm_error(400, "MissingApiVersionParameter")
            last = request.url.path.rpartition("/")[2]
            waiting = self.answers.get((request.method, last))
            if waiting:
                return waiting.pop(0)
            if request.path_params["subscription"] != SUBSCRIPTION:
                return arm_error(404, "SubscriptionNotFound")
            if request.path_params.get("account", ACCOUNT) != ACCOUNT:
                return arm_error(404, "ResourceNotFound")
            answered: Response = handler(request, body)
            return answered

        return guarded

    def _account(self, request: Request, body: Any) -> Response:
        return JSONResponse({"id": ACCOUNT_ID, "name": ACCOUNT, "location": "Sweden Central"})

    def _models(self, request: Request, body: Any) -> Response:
        # In pages, as the service sends them.
        at = int(request.query_params.get("$skiptoken", "0"))
        page: dict[str, Any] = {"value": MODELS[at : at + 2]}
        if at + 2 < len(MODELS):
            base = f"{self.url}{ACCOUNT_ID}/models"
            page["nextLink"] = f"{base}?api-version={API_VERSION}&$skiptoken={at + 2}"
        return JSONResponse(page)

    def _filters(self, request: Request, body: Any) -> Response:
        names = ("Microsoft.Default", "Microsoft.DefaultV2", "secure-openai")
        return JSONResponse({"value": [{"name": name, "properties": {}} for name in names]})

    def _usages(self, request: Request, body: Any) -> Response:
        if request.path_params["region"] != REGION:
            return arm_error(400, "InvalidLocation")
        return JSONResponse({"value": USAGES})

    def _list(self, request: Request, body: Any) -> Response:
        return JSONResponse({"value": list(self.deployments.values())})

    def _deployment(self, request: Request, body: Any) -> Response:
        name = request.path_params["name"]
        if request.method == "PUT":
            return self._put(name, body)
        if name not in self.deployments:
            if request.method == "DELETE":
                return Response(status_code=204)
            return arm_error(404, "ResourceNotFound", "The Resource … was not found.")
        if request.method == "DELETE":
            return self._delete(name)
        return JSONResponse(self.deployments[name])

    def _put(self, name: str, body: Any) -> Response:
        made = deployment(name) | {"sku": body["sku"]}
        made["properties"] = body["properties"] | {"provisioningState": "Creating"}
        if self.way == "at once":
            made["properties"]["provisioningState"] = "Succeeded"
        self.deployments[name] = made

        def end() -> None:
            state = "Succeeded" if self.steps[-1] == "Succeeded" else "Failed"
            made["properties"]["provisioningState"] = state

        return JSONResponse(made, status_code=201, headers=self._begin(end))

    def _delete(self, name: str) -> Response:
        if self.way == "at once":
            del self.deployments[name]
            return Response(status_code=200)
        self.deployments[name]["properties"]["provisioningState"] = "Deleting"

        def end() -> None:
            self.deployments.pop(name, None)

        return Response(status_code=202, headers=self._begin(end))

    def _begin(self, end: Callable[[], None]) -> dict[str, str]:
        """Begin an operation; return the headers that tell where to ask about it."""
        number = f"00000000-0000-4000-8000-{len(self.operations) + 1:012}"
        self.operations[number] = (list(self.steps), end)
        place = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices"
        # Azure signs the address with its own certificate: c, s and h make it thousands long.
        query = f"api-version={API_VERSION}&t=638&c={'MII' * 900}&s=abc-_&h=def"
        address = f"{place}/locations/{REGION}/operationResults/{number}?{query}"
        host = "https://elsewhere.example" if self.way == "elsewhere" else self.url
        retry = {"Retry-After": self.retry_after} if self.retry_after else {}
        headers = {
            "operation": {"Azure-AsyncOperation": host + address, "Location": host + "/other"},
            "elsewhere": {"Azure-AsyncOperation": host + address, "Location": host + address},
            "location": {"Location": host + address},
        }.get(self.way, {})
        return headers | retry

    def finish(self) -> None:
        """End every operation, as if time had passed."""
        for _, end in self.operations.values():
            end()

    def _operation(self, request: Request, body: Any) -> Response:
        steps, end = self.operations[request.path_params["id"]]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        if isinstance(step, Response):
            return step
        if isinstance(step, dict) or step in ("Succeeded", "Failed", "Canceled"):
            end()
        if self.way == "location":
            if step == "Succeeded":
                return Response(status_code=200)
            if isinstance(step, dict):
                return JSONResponse({"error": step["error"]}, status_code=400)
            return Response(status_code=202, headers=headers)
        document = step if isinstance(step, dict) else {"status": step}
        return JSONResponse({"id": request.url.path} | document, headers=headers)
