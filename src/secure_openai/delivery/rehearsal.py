"""A folder that acts as the slots: packages are unpacked there and run on this machine.

    FOLDER/staging/app         what the package holds        FOLDER/data/staging    its data
    FOLDER/production/app                                    FOLDER/data/production
    FOLDER/staging/functions

Each application runs from its package alone, with nothing of this environment, as Azure starts it;
settings and data stay with the slot in a swap. What Azure does not do here: a swap stops both for a
moment, and nothing is warmed up first.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

import aiohttp

from secure_openai.delivery.package import BILL, Kind
from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.slots import Sight, Slot
from secure_openai.errors import DeliveryError
from secure_openai.jobs.catalogue import JOBS
from secure_openai.local.identity_provider.directory import TENANT_ID, WEB_CLIENT_ID
from secure_openai.local.processes import Child, Processes, require_free
from secure_openai.settings import PREFIX

ALONE: Final = (sys.executable, "-S", "-s", "-E")
"""Python without this environment's libraries and settings: what runs comes from the folder."""

_PATIENCE: Final = aiohttp.ClientTimeout(total=5)
_TIMERS: Final = (
    "import sys; sys.path[:0] = ['.python_packages/lib/site-packages', '.']; import function_app; "
    "print(*sorted(one.get_function_name() for one in function_app.app.get_functions()))"
)


def _require_runnable(path: Path) -> None:
    """Return if a package was made for the Python that runs this.

    Raises:
        DeliveryError: It was made for another, or says nothing of it.
    """
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        with ZipFile(path) as archive:
            said = json.loads(archive.read(BILL))["metadata"]["component"]["properties"]
        python = {one["name"]: one["value"] for one in said}["secure-openai:python"]
    except (BadZipFile, OSError, ValueError, LookupError, TypeError):
        raise DeliveryError(f"{path} is no package of secure-openai package.") from None
    if python != here:
        raise DeliveryError(
            f"{path} is for Python {python}, and this is {here}: rehearse with a package made with "
            f"--python {here}."
        )


class Rehearsal:
    """Implements `Slots` on this machine.

    Args:
        folder: Where; what a rehearsal left there is gone on with.
        port: Of production; staging and the identity provider take the two after it.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder.absolute()
        self._ports = {Slot.PRODUCTION: port, Slot.STAGING: port + 1}
        self._issuer_port = port + 2
        self._issuer: Processes | None = None
        self._running: dict[Slot, tuple[Processes, Child]] = {}
        # Functions are loaded anew for each look: what was seen stays true until they are changed.
        self._seen: dict[Slot, Sight] = {}

    @property
    def where(self) -> str:
        """Return the folder."""
        return str(self._folder)

    async def start(self) -> None:
        """Start the identity provider, and what production ran at the end of the last rehearsal.

        Raises:
            DeliveryError: The folder cannot be written.
            StartError: A port is taken.
        """
        for port in (*self._ports.values(), self._issuer_port):
            require_free(port)
        try:
            (self._folder / "logs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DeliveryError(
                f"{self._folder} cannot be written ({error.strerror}): name another folder."
            ) from None
        self._issuer = Processes(self._folder / "logs")
        self._issuer.start(
            "identity provider",
            [
                *(sys.executable, "-m", "secure_openai.local.identity_provider"),
                *("--port", str(self._issuer_port), "--data", str(self._folder / "identity")),
                *("--public-url", self._url(self._issuer_port)),
                *("--application-url", self.url(Slot.PRODUCTION)),
            ],
        )
        self._start(Slot.PRODUCTION)

    def url(self, slot: Slot) -> str:
        """Return where the web application of a slot answers."""
        return self._url(self._ports[slot])

    def _url(self, port: int) -> str:
        return f"http://localhost:{port}"

    def _place_of(self, kind: Kind, slot: Slot) -> Path:
        return self._folder / slot / kind

    async def place(self, package: PlacedPackage) -> None:
        """Unpack into staging, beside what is there, then in its place."""
        _require_runnable(package.path)
        target = self._place_of(package.kind, Slot.STAGING)
        beside = target.with_name(f".{target.name}.part")
        if package.kind is Kind.APP:
            await self._stop(Slot.STAGING)
        else:
            self._seen.clear()
        try:
            shutil.rmtree(beside, ignore_errors=True)
            with ZipFile(package.path) as archive:
                archive.extractall(beside)
            shutil.rmtree(target, ignore_errors=True)
            beside.rename(target)
        except (BadZipFile, OSError) as error:
            raise DeliveryError(
                f"{package.path} cannot be unpacked into {self._folder} ({type(error).__name__})."
            ) from None
        if package.kind is Kind.APP:
            self._start(Slot.STAGING)

    async def look(self, kind: Kind, slot: Slot) -> Sight:
        """Ask the web application for its self-check; have the functions declared."""
        if not self._place_of(kind, slot).is_dir():
            return Sight(healthy=False, says="nothing was placed there.", final=True)
        if kind is Kind.FUNCTIONS:
            if slot not in self._seen:
                self._seen[slot] = await self._look_at_functions(slot)
            return self._seen[slot]
        ended = self._running[slot][1].ended if slot in self._running else 0
        if ended is not None:
            last = self._running[slot][1].last_words() if slot in self._running else ""
            return Sight(healthy=False, says=f"it ended. {last}".strip(), final=True)
        try:
            async with (
                aiohttp.ClientSession(timeout=_PATIENCE) as http,
                http.get(f"{self.url(slot)}/startupz") as answer,
            ):
                ready = answer.status == HTTPStatus.OK
                return Sight(healthy=ready, says=f"it answers {answer.status}.")
        except (aiohttp.ClientError, TimeoutError) as error:
            return Sight(healthy=False, says=f"it does not answer ({type(error).__name__}).")

    async def _look_at_functions(self, slot: Slot) -> Sight:
        child = await asyncio.create_subprocess_exec(
            *(*ALONE, "-c", _TIMERS),
            cwd=self._place_of(Kind.FUNCTIONS, slot),
            env={},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await child.communicate()
        if child.returncode != 0:
            last = (err.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
            return Sight(healthy=False, says=f"its functions cannot be loaded: {last}.", final=True)
        missing = sorted(JOBS.keys() - set(out.decode().split()))
        if missing:
            return Sight(healthy=False, says=f"it lacks {', '.join(missing)}.")
        return Sight(healthy=True, says=f"it declares {len(JOBS)} timers.")

    async def swap(self, kind: Kind) -> None:
        """Exchange the two folders; an application starts again with its slot's settings."""
        staging, production = (self._place_of(kind, one) for one in (Slot.STAGING, Slot.PRODUCTION))
        if kind is Kind.APP:
            await asyncio.gather(*map(self._stop, Slot))
        else:
            self._seen.clear()
        between = self._folder / f".{kind}.swapping"
        try:
            production.parent.mkdir(parents=True, exist_ok=True)
            if production.exists():
                production.rename(between)
            if staging.exists():
                staging.rename(production)
            if between.exists():
                between.rename(staging)
        except OSError as error:
            raise DeliveryError(f"{kind} could not be swapped ({type(error).__name__}).") from None
        if kind is Kind.APP:
            self._start(Slot.STAGING)
            self._start(Slot.PRODUCTION)

    def _start(self, slot: Slot) -> None:
        folder = self._place_of(Kind.APP, slot)
        if not folder.is_dir():
            return
        processes = Processes(self._folder / "logs")
        child = processes.start(
            f"application {slot}",
            [*ALONE, "-m", "secure_openai.cli", "serve"],
            environment=self._settings(slot),
            folder=folder,
        )
        self._running[slot] = processes, child

    async def _stop(self, slot: Slot) -> None:
        running = self._running.pop(slot, None)
        if running is not None:
            await asyncio.to_thread(running[0].stop)

    def _settings(self, slot: Slot) -> dict[str, str]:
        """Return what stays with the slot."""
        policy = self._place_of(Kind.APP, slot) / "policy.toml"
        values = {
            "public_url": self.url(slot),
            "listen_host": "127.0.0.1",
            "listen_port": str(self._ports[slot]),
            "authority": f"{self._url(self._issuer_port)}/{TENANT_ID}/v2.0",
            "tenant_id": TENANT_ID,
            "client_id": WEB_CLIENT_ID,
            "model_source": "scripted",
            "data": str(self._folder / "data" / slot),
            "drain_seconds": "2",
            **({"policy": str(policy)} if policy.is_file() else {}),
        }
        return {f"{PREFIX}{name.upper()}": value for name, value in values.items()}

    async def aclose(self) -> None:
        """End everything; what was placed stays."""
        for slot in Slot:
            await self._stop(slot)
        if self._issuer is not None:
            issuer, self._issuer = self._issuer, None
            await asyncio.to_thread(issuer.stop)
