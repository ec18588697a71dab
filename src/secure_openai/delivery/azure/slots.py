"""Slots of a closed estate, reached by its control plane: no door is opened for a deployment.

A package goes into bootstrap's storage, named by its digest, and the applications fetch it from
inside the network: the Function App with its managed identity (`WEBSITE_RUN_FROM_PACKAGE`), the web
application by an address that is signed with our own Entra token, reads this one package, and ends
within the hour (user delegation SAS; the storage knows no key). Whether an application is healthy
is read where App Service keeps it: its health check asks `/startupz` from inside, which answers
once the application's self-check has passed.

Sources: Microsoft Learn, "Run your functions from a package file in Azure", "Deploy files to App
Service" (network-secured apps), "Create a user delegation SAS", "Web Apps - Swap Slot Slot".
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from azure.storage.blob import BlobSasPermissions, UserDelegationKey, generate_blob_sas

from secure_openai.delivery.azure.place import Place
from secure_openai.delivery.azure.rest import PATIENCE_SECONDS, NotBegun, Rest
from secure_openai.delivery.package import Kind
from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.slots import Sight, Slot, SwapUncertain
from secure_openai.errors import DeliveryError
from secure_openai.jobs.catalogue import JOBS
from secure_openai.types import Clock, JsonObject, utc_now

STORAGE_SCOPE: Final = "https://storage.azure.com/.default"
STORAGE_VERSION: Final = "2023-11-03"
RUN_FROM: Final = "WEBSITE_RUN_FROM_PACKAGE"

_SIGNED: Final = timedelta(minutes=55)
"""The packages' account refuses a SAS that lasts longer than an hour (`sas_policy`)."""

_EARLY: Final = timedelta(minutes=5)
_EXISTS: Final = 409
_KEY: Final = MappingProxyType(
    {
        name: re.compile(f"<{tag}>([^<]+)</{tag}>")
        for name, tag in {
            "signed_oid": "SignedOid",
            "signed_tid": "SignedTid",
            "signed_start": "SignedStart",
            "signed_expiry": "SignedExpiry",
            "signed_service": "SignedService",
            "signed_version": "SignedVersion",
            "value": "Value",
        }.items()
    }
)
_SUCCEEDED: Final = frozenset({4, "succeeded"})
_FAILED: Final = frozenset({3, "failed", "canceled"})
"""How a deployment stands: Kudu's numbers (`DeployStatus`), and Resource Manager's words."""


class AzureSlots:
    """Implements `Slots`.

    Args:
        place: Which applications, and where packages wait.
        rest: Sends requests.
        clock: What the signed address counts from.
    """

    def __init__(self, place: Place, rest: Rest, *, clock: Clock = utc_now) -> None:
        self._place = place
        self._rest = rest
        self._clock = clock

    @property
    def where(self) -> str:
        """Return the web application's name."""
        return self._place.sites[Kind.APP].rpartition("/")[2]

    async def place(self, package: PlacedPackage) -> None:
        """Leave the package in storage, and have staging fetch it."""
        name = f"{package.kind}-{package.sha256}.zip"
        url = f"{self._place.container}/{name}"
        with package.path.open("rb") as file:
            await self._rest.send(
                "PUT",
                url,
                scope=STORAGE_SCOPE,
                data=file,
                headers={
                    "x-ms-blob-type": "BlockBlob",
                    "x-ms-version": STORAGE_VERSION,
                    "Content-Type": "application/zip",
                    "If-None-Match": "*",
                },
                expected=frozenset({_EXISTS}),
            )
        if package.kind is Kind.FUNCTIONS:
            await self._compare(url, package)
            await self._run_from(url)
        else:
            address = await self._signed(name, url)
            await self._compare(url, package)
            await self._pull(address)

    async def _compare(self, url: str, package: PlacedPackage) -> None:
        """Return if what lies there is the package, just before an application is sent for it.

        Its digest, and with it its name, can be foreseen by whoever else may write there.

        Raises:
            DeliveryError: It is another one.
        """
        version = {"x-ms-version": STORAGE_VERSION}
        if await self._rest.sha256_of(url, scope=STORAGE_SCOPE, headers=version) != package.sha256:
            raise DeliveryError(
                f"What lies at {url.rpartition('/')[2]} is another package than its name says: "
                "nothing was deployed. Find out who wrote it (the storage's log), and delete it."
            )

    async def _run_from(self, url: str) -> None:
        """Write the address into staging's settings; it starts again with it."""
        staging = self._at(Kind.FUNCTIONS, Slot.STAGING)
        told = await self._rest.manage("POST", f"{staging}/config/appsettings/list")
        settings: JsonObject = dict(_object(told.body, "properties"))
        if not settings:
            raise DeliveryError("Azure does not say what the Function App's settings are.")
        settings[RUN_FROM] = url
        await self._rest.manage("PUT", f"{staging}/config/appsettings", {"properties": settings})
        # Functions do this by themselves only where they are deployed to directly.
        await self._rest.manage("POST", f"{staging}/syncfunctiontriggers")

    async def _signed(self, name: str, url: str) -> str:
        """Return the package's address for whoever has it, for less than an hour."""
        start, expiry = self._clock() - _EARLY, self._clock() + _SIGNED
        told = await self._rest.send(
            "POST",
            f"{self._place.account}/?restype=service&comp=userdelegationkey",
            scope=STORAGE_SCOPE,
            data=(
                '<?xml version="1.0" encoding="utf-8"?><KeyInfo>'
                f"<Start>{_written(start)}</Start><Expiry>{_written(expiry)}</Expiry></KeyInfo>"
            ),
            headers={"x-ms-version": STORAGE_VERSION, "Content-Type": "application/xml"},
        )
        key = UserDelegationKey()  # type: ignore[no-untyped-call]
        for attribute, pattern in _KEY.items():
            found = pattern.search(told.text)
            if found is None:
                raise DeliveryError("The packages' storage gave no key to sign an address with.")
            setattr(key, attribute, found.group(1))
        token = generate_blob_sas(
            self._place.account.rpartition("/")[2].partition(".")[0],
            self._place.container.rpartition("/")[2],
            name,
            user_delegation_key=key,
            permission=BlobSasPermissions(read=True),
            start=start,
            expiry=expiry,
            protocol="https",
        )
        return f"{url}?{token}"

    async def _pull(self, address: str) -> None:
        """Have staging fetch and unpack the package; return when it has."""
        path = f"{self._at(Kind.APP, Slot.STAGING)}/extensions/onedeploy"
        body = {"packageUri": address, "type": "zip", "clean": True, "restart": True}
        told = await self._rest.manage("PUT", path, {"properties": body}, follow=False)
        begun = _object(told.body, "properties").get("id")
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            said = _object((await self._rest.manage("GET", path)).body, "properties")
            state = _state(said)
            ours = begun is None or said.get("id") in {None, begun}
            if ours and state in _SUCCEEDED:
                return
            if ours and state in _FAILED:
                raise DeliveryError(
                    "The web application could not fetch or unpack its package: its deployment "
                    "log says why, and whether package storage is reached from its network."
                )
            if time.monotonic() > end:
                raise DeliveryError("The web application has not fetched its package in time.")
            await asyncio.sleep(self._rest.poll_seconds)

    async def look(self, kind: Kind, slot: Slot) -> Sight:
        """Read how every instance is, and for functions which timers their host knows."""
        path = self._at(kind, slot)
        instances = _values((await self._rest.manage("GET", f"{path}/instances")).body)
        states = [_object(one, "properties").get("state") for one in instances]
        if not states:
            return Sight(healthy=False, says="no instance is up.")
        if any(state != "READY" for state in states):
            return Sight(healthy=False, says=f"its instances are {', '.join(map(str, states))}.")
        if kind is Kind.FUNCTIONS:
            known = _values((await self._rest.manage("GET", f"{path}/functions")).body)
            names = {str(one.get("name", "")).rpartition("/")[2] for one in known}
            missing = sorted(JOBS.keys() - names)
            if missing:
                return Sight(healthy=False, says=f"it lacks {', '.join(missing)}.")
        return Sight(healthy=True, says=f"{len(states)} instances are ready.")

    async def swap(self, kind: Kind) -> None:
        """Let the two slots change places; what is sticky stays."""
        path = f"{self._at(kind, Slot.STAGING)}/slotsswap"
        body = {"targetSlot": "production", "preserveVnet": True}
        try:
            await self._rest.manage("POST", path, body)
        except NotBegun:
            raise
        except DeliveryError as error:
            raise SwapUncertain(
                f"Nobody knows whether {kind} was swapped: {error.detail}"
            ) from None
        if kind is Kind.FUNCTIONS:
            for one in Slot:
                # The swap has happened; a host finds its timers by itself when it starts.
                with suppress(DeliveryError):
                    await self._rest.manage("POST", f"{self._at(kind, one)}/syncfunctiontriggers")

    def _at(self, kind: Kind, slot: Slot) -> str:
        site = self._place.sites[kind]
        return site if slot is Slot.PRODUCTION else f"{site}/slots/{slot}"


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _state(said: Mapping[str, Any]) -> object:
    state = said.get("provisioningState", said.get("status"))
    return state.lower() if isinstance(state, str) else state


def _object(body: Any, name: str) -> Mapping[str, Any]:
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, dict) else {}


def _values(body: Any) -> list[Mapping[str, Any]]:
    value = body.get("value") if isinstance(body, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
