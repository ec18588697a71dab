"""A key vault in Azure Key Vault's wire shapes, with real keys that only it has.

Source: Azure Key Vault REST API, "Get Key", "Get Key Versions", "Sign" and "Authentication,
requests and responses".
"""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.servers import listening, port_of
from tests.store.azure.estate import TENANT, VAULT

RESOURCE = "https://vault.azure.net"
PAGE = 2
"""Versions that one answer lists: the vault's own default is 25."""


@dataclass
class Version:
    """One version of the key."""

    private: ec.EllipticCurvePrivateKey
    version: str = field(default_factory=lambda: uuid4().hex)
    enabled: bool = True
    created: int = field(default_factory=lambda: int(time.time()))


@dataclass
class Vault:
    """A running vault with two keys, of seals and of evidence.

    Attributes:
        port: Of loopback.
        name: The key's name.
        versions: Of the key, the current one last.
        evidence: The name of the other key.
        evidence_versions: Of that one.
        signing: Which keys whoever comes may sign with.
        challenge: What it names as the resource that tokens are for.
        throttled: How many requests to answer with 429.
        refuses: Whether it answers 403 to everyone.
        forges: Whether its signatures do not hold.
        asked: Method and path of each request that was let in.
    """

    port: int = 0
    name: str = "audit-seal-test"
    versions: list[Version] = field(default_factory=list)
    evidence: str = "estate-evidence-test"
    evidence_versions: list[Version] = field(default_factory=list)
    signing: frozenset[str] = frozenset({"audit-seal-test", "estate-evidence-test"})
    challenge: str = RESOURCE
    throttled: int = 0
    refuses: bool = False
    forges: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the key's address."""
        return f"https://{VAULT}/keys/{self.name}"

    @property
    def evidence_url(self) -> str:
        """Return the other key's address."""
        return f"https://{VAULT}/keys/{self.evidence}"

    def rotate(self, curve: ec.EllipticCurve | None = None) -> Version:
        """Make another version, which is current from then on."""
        version = Version(ec.generate_private_key(curve or ec.SECP256R1()))
        self.versions.append(version)
        return version

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        if not self._authorized(request):
            authority = f"https://login.microsoftonline.com/{TENANT}"
            challenge = f'Bearer authorization="{authority}", resource="{self.challenge}"'
            return _error(401, "Unauthorized", **{"WWW-Authenticate": challenge})
        self.asked.append((request.method, request.path))
        if self.throttled:
            self.throttled -= 1
            return _error(429, "Throttled", **{"Retry-After": "0"})
        if self.refuses:
            return _error(403, "Forbidden")
        return await self._answer(request, request.path.strip("/").split("/"))

    def _authorized(self, request: web.Request) -> bool:
        try:
            token = request.headers["Authorization"].removeprefix("Bearer ").split(".")[1]
            claims = json.loads(_bytes(token))
        except (KeyError, IndexError, ValueError):
            return False
        return bool(claims["aud"] == RESOURCE and claims["exp"] > time.time())

    async def _answer(self, request: web.Request, path: list[str]) -> web.Response:
        keys = {self.name: self.versions, self.evidence: self.evidence_versions}
        name = path[1] if len(path) > 1 else ""
        url, versions = f"https://{VAULT}/keys/{name}", keys.get(name, [])
        match [request.method, path[0], *path[2:]]:
            case ["GET", "keys"]:
                return self._key(versions[-1] if versions else None, url)
            case ["GET", "keys", "versions"]:
                return self._list(int(request.query.get("skip", "0")), versions, url)
            case ["GET", "keys", version]:
                return self._key(_find(versions, version), url)
            case ["POST", "keys", version, "sign"]:
                return self._sign(_find(versions, version), await request.json(), url)
            case ["POST", "keys", version, "verify"]:
                return self._verify(_find(versions, version), await request.json())
        return _error(404, "KeyNotFound")

    def _key(self, version: Version | None, url: str) -> web.Response:
        if version is None:
            return _error(404, "KeyNotFound")
        if not version.enabled:
            return _error(403, "Forbidden")
        numbers = version.private.public_key().public_numbers()
        size = (numbers.curve.key_size + 7) // 8
        names = {256: "P-256", 384: "P-384"}
        key = {
            "kid": f"{url}/{version.version}",
            "kty": "EC-HSM",
            "crv": names[numbers.curve.key_size],
            "x": _text(numbers.x.to_bytes(size, "big")),
            "y": _text(numbers.y.to_bytes(size, "big")),
            "key_ops": ["sign", "verify"],
        }
        return web.json_response({"key": key, "attributes": _attributes(version)})

    def _list(self, skip: int, versions: list[Version], url: str) -> web.Response:
        found = versions[skip : skip + PAGE]
        more = skip + PAGE < len(versions)
        following = f"{url}/versions?api-version=7.6&skip={skip + PAGE}"
        value = [{"kid": f"{url}/{one.version}", "attributes": _attributes(one)} for one in found]
        return web.json_response({"value": value, "nextLink": following if more else None})

    def _sign(self, version: Version | None, body: dict[str, Any], url: str) -> web.Response:
        if url.rpartition("/")[2] not in self.signing:
            return _error(403, "Forbidden")
        if version is None or not version.enabled or body["alg"] != "ES256":
            return _error(400, "BadParameter")
        digest = _bytes(body["value"])
        if len(digest) != 32:
            return _error(400, "BadParameter")
        if self.forges:
            digest = digest[::-1]
        signed = version.private.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        r, s = utils.decode_dss_signature(signed)
        value = _text(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        return web.json_response({"kid": f"{url}/{version.version}", "value": value})

    def _verify(self, version: Version | None, body: dict[str, Any]) -> web.Response:
        if version is None or not version.enabled or body["alg"] != "ES256":
            return _error(400, "BadParameter")
        value = _bytes(body["value"])
        r, s = (int.from_bytes(half, "big") for half in (value[:32], value[32:]))
        try:
            version.private.public_key().verify(
                utils.encode_dss_signature(r, s),
                _bytes(body["digest"]),
                ec.ECDSA(utils.Prehashed(hashes.SHA256())),
            )
        except InvalidSignature:
            return web.json_response({"value": False})
        return web.json_response({"value": True})


def _find(versions: list[Version], version: str) -> Version | None:
    if not version:
        return versions[-1] if versions else None
    return next((one for one in versions if one.version == version), None)


def _attributes(version: Version) -> dict[str, Any]:
    return {
        "enabled": version.enabled,
        "created": version.created,
        "updated": version.created,
        "recoveryLevel": "Recoverable",
        "exportable": False,
    }


def _error(status: int, code: str, **headers: str) -> web.Response:
    body = {"error": {"code": code, "message": code}}
    return web.json_response(body, status=status, headers=headers)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@asynccontextmanager
async def running_vault(certificate: tuple[Path, Path]) -> AsyncIterator[Vault]:
    """Serve a vault with two keys of one version each until the block is left."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    bound = listening()
    vault = Vault(port=port_of(bound))
    vault.rotate()
    vault.evidence_versions.append(Version(ec.generate_private_key(ec.SECP256R1())))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", vault.handle)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, bound, ssl_context=context).start()
    try:
        yield vault
    finally:
        await runner.cleanup()
