"""A server in the shapes of Azure: App Service's slots in Resource Manager, and package storage.

Shapes are those of the references of Microsoft.Web and of Blob Storage; what it runs is an address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from secure_openai.jobs.catalogue import JOBS

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-chat/providers/Microsoft.Web/sites"
WEB, FUNCTIONS = f"{GROUP}/app-chat-1a2b3", f"{GROUP}/func-chat-1a2b3"
STICKY = "WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID"

_SITE = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Web/sites/[^/]+")
_KEY = """<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>
<SignedOid>11111111-0000-4000-8000-000000000001</SignedOid>
<SignedTid>11111111-0000-4000-8000-000000000002</SignedTid>
<SignedStart>{start}</SignedStart><SignedExpiry>{expiry}</SignedExpiry>
<SignedService>b</SignedService><SignedVersion>2023-11-03</SignedVersion>
<Value>c2VjcmV0LXRoYXQtaXMtbm9uZS1vZi1vdXJzLTAwMDA=</Value></UserDelegationKey>"""


@dataclass
class Slotted:
    """What a slot of an application has."""

    settings: dict[str, str]
    package: str | None = None
    deployment: dict[str, Any] = field(default_factory=dict)


@dataclass
class AppService:
    """The server's state, and what it was asked."""

    sites: dict[str, dict[str, Slotted]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answers: dict[str, Response] = field(default_factory=dict)
    """What is answered instead, by method and the end of the path."""
    broken: set[str] = field(default_factory=set)
    """Packages, by the beginning of their names, whose instances never become ready."""
    broken_in_production: set[str] = field(default_factory=set)
    rewritten: bytes | None = None
    """What somebody else leaves under a package's name as soon as it is there."""
    unreachable_storage: bool = False
    swaps_left: int = 0

    def __post_init__(self) -> None:
        for site in (WEB, FUNCTIONS):
            self.have(site)

    def have(self, site: str) -> None:
        """Have an application of this id, with nothing in its slots."""
        self.sites[site.lower()] = {
            slot: Slotted({"WEBSITE_RUN_FROM_PACKAGE": "1", STICKY: f"id-{slot}", "OTHER": "kept"})
            for slot in ("production", "staging")
        }

    def app(self) -> Starlette:
        """Return the server."""
        return Starlette(
            routes=[
                Route("/packages/{name}", self.put_blob, methods=["PUT"]),
                Route("/packages/{name}", self.get_blob, methods=["GET"]),
                Route("/", self.delegation_key, methods=["POST"]),
                Route("/operations/{number}", self.operation, methods=["GET"]),
                Route("/subscriptions/{rest:path}", self.manage, methods=["GET", "PUT", "POST"]),
            ]
        )

    def _refusal(self, request: Request, token: str) -> Response | None:
        self.asked.append(f"{request.method} {request.url.path}")
        if request.headers.get("authorization") != f"Bearer {token}":
            return JSONResponse({"error": {"code": "AuthenticationFailed"}}, status_code=401)
        for end, answer in self.answers.items():
            if f"{request.method} {request.url.path}".endswith(end):
                return answer
        return None

    async def put_blob(self, request: Request) -> Response:
        """Put Blob: refused without its headers, and where it is there already."""
        body = await request.body()
        if refusal := self._refusal(request, "storage"):
            return refusal
        assert request.headers["x-ms-blob-type"] == "BlockBlob"
        assert request.headers["if-none-match"] == "*"
        name = request.path_params["name"]
        if name in self.blobs:
            return Response(status_code=409)
        self.blobs[name] = body if self.rewritten is None else self.rewritten
        return Response(status_code=201)

    async def get_blob(self, request: Request) -> Response:
        """Get Blob."""
        if refusal := self._refusal(request, "storage"):
            return refusal
        return Response(self.blobs[request.path_params["name"]])

    async def delegation_key(self, request: Request) -> Response:
        """Get User Delegation Key."""
        if refusal := self._refusal(request, "storage"):
            return refusal
        assert request.query_params["comp"] == "userdelegationkey"
        said = (await request.body()).decode()
        start, expiry = (
            re.findall(f"<{tag}>([^<]+)</{tag}>", said)[0] for tag in ("Start", "Expiry")
        )
        return Response(_KEY.format(start=start, expiry=expiry), media_type="application/xml")

    async def operation(self, request: Request) -> Response:
        """How a swap goes on: under way once, then done."""
        if refusal := self._refusal(request, "arm"):
            return refusal
        self.swaps_left -= 1
        if self.swaps_left > 0:
            return Response(status_code=202, headers={"Location": str(request.url)})
        return JSONResponse({"status": "Succeeded"})

    async def manage(self, request: Request) -> Response:  # noqa: C901, PLR0911 - a table of paths
        """Everything under an application's id."""
        if refusal := self._refusal(request, "arm"):
            return refusal
        assert request.query_params["api-version"]
        path = request.url.path
        site = path[: _SITE.match(path).end()]  # type: ignore[union-attr]
        rest = path.removeprefix(f"{site}/")
        slot = "production"
        if rest.startswith("slots/staging/"):
            slot, rest = "staging", rest.removeprefix("slots/staging/")
        if site.lower() not in self.sites:
            return JSONResponse({"error": {"code": "ResourceNotFound"}}, status_code=404)
        slots = self.sites[site.lower()]
        body: Any = await request.json() if request.method == "PUT" or rest == "slotsswap" else {}
        match request.method, rest:
            case "POST", "config/appsettings/list":
                return JSONResponse({"properties": slots[slot].settings})
            case "PUT", "config/appsettings":
                slots[slot].settings = body["properties"]
                slots[slot].package = body["properties"]["WEBSITE_RUN_FROM_PACKAGE"]
                return JSONResponse(body)
            case "POST", "syncfunctiontriggers":
                return Response(status_code=204)
            case "PUT", "extensions/onedeploy":
                return self._pull(slots[slot], body["properties"])
            case "GET", "extensions/onedeploy":
                return JSONResponse({"properties": slots[slot].deployment})
            case "GET", "instances":
                return JSONResponse({"value": self._instances(slots[slot], slot)})
            case "GET", "functions":
                names = [f"{site.rpartition('/')[2]}/{name}" for name in JOBS]
                return JSONResponse({"value": [{"name": name} for name in names]})
            case "POST", "slotsswap":
                assert body == {"targetSlot": "production", "preserveVnet": True}
                self._swap(slots)
                self.swaps_left = 2
                origin = f"{request.url.scheme}://{request.url.netloc}"
                return Response(status_code=202, headers={"Location": f"{origin}/operations/1"})
        return JSONResponse({"error": {"code": "ResourceNotFound"}}, status_code=404)

    def _pull(self, slotted: Slotted, said: dict[str, Any]) -> Response:
        """Fetch as Kudu does: by the address alone, which must read this one blob for an hour."""
        parts = urlsplit(said["packageUri"])
        signed = {name: values[0] for name, values in parse_qs(parts.query).items()}
        name = parts.path.rpartition("/")[2]
        expiry = datetime.fromisoformat(signed["se"])
        assert (signed["sp"], signed["sr"], signed["spr"]) == ("r", "b", "https")
        assert timedelta(0) < expiry - datetime.now(UTC) < timedelta(hours=1)
        assert signed["skoid"]
        assert signed["sig"]
        assert said["clean"] is True
        there = name in self.blobs and not self.unreachable_storage
        slotted.deployment = {"id": f"d-{len(self.asked)}", "status": 4 if there else 3}
        if there:
            slotted.package = f"{parts.scheme}://{parts.netloc}{parts.path}"
        begun = {"properties": {"id": slotted.deployment["id"], "status": 1}}
        return JSONResponse(begun, status_code=202)

    def _instances(self, slotted: Slotted, slot: str) -> list[dict[str, Any]]:
        name = (slotted.package or "").rpartition("/")[2]
        bad = self.broken | (self.broken_in_production if slot == "production" else set())
        ready = bool(name) and not any(name.startswith(one) for one in bad)
        state = "READY" if ready else "UNKNOWN"
        return [{"properties": {"state": state}} for _ in range(2)]

    def _swap(self, slots: dict[str, Slotted]) -> None:
        slots["staging"], slots["production"] = slots["production"], slots["staging"]
        one, other = slots["staging"].settings, slots["production"].settings
        # What is sticky stays with its slot.
        one[STICKY], other[STICKY] = other[STICKY], one[STICKY]
