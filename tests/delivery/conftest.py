"""What several of the delivery's tests need: packages, slots, and the estate as it would stand."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from secure_openai.delivery.azure.place import Place
from secure_openai.delivery.azure.rest import Rest
from secure_openai.delivery.azure.slots import AzureSlots
from secure_openai.delivery.package import BILL, Kind, Package, make_package
from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.target import Target
from secure_openai.outbound import Outbound
from secure_openai.posture.simulation import Workspace
from secure_openai.testing.slots_contract import Packages
from tests.delivery.app_service import FUNCTIONS, WEB, AppService
from tests.infra.estate import INFRA, environment
from tests.servers import listening, port_of, served

SITES = {Kind.APP: WEB, Kind.FUNCTIONS: FUNCTIONS}
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Made:
    """Both packages, what one of them lists, and the wheels that they were made of."""

    app: Package
    functions: Package
    bill: dict[str, Any]
    wheels: Path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the packages of this clone, for the Python that runs this test."""
    folder = tmp_path_factory.mktemp("packages")
    target, wheels = Target(HERE), folder / "wheels"
    app = make_package(Kind.APP, folder, target=target, fetched=wheels)
    functions = make_package(Kind.FUNCTIONS, folder, target=target, fetched=wheels)
    return Made(app, functions, json.loads(app.bill.read_text()), wheels)


def package(folder: Path, kind: Kind, number: int, python: str = HERE) -> PlacedPackage:
    """Return a package that says which it is, and does nothing."""
    path = folder / f"{kind}-{number}.zip"
    said = [{"name": "secure-openai:python", "value": python}]
    with ZipFile(path, "w") as archive:
        archive.writestr(BILL, json.dumps({"metadata": {"component": {"properties": said}}}))
        archive.writestr("number", str(number))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return PlacedPackage(kind, path, digest)


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    """Return two packages of each application."""
    return {kind: [package(tmp_path, kind, number) for number in (1, 2)] for kind in Kind}


@dataclass
class Tokens:
    """Whoever has these may do it."""

    async def bearer(self, scope: str) -> str:
        """Return a token for a scope."""
        return "Bearer storage" if "storage" in scope else "Bearer arm"


@pytest.fixture
def azure() -> AppService:
    """Return the state of a server in Azure's shapes."""
    return AppService()


@pytest.fixture
async def in_azure(azure: AppService) -> AsyncIterator[AzureSlots]:
    """Return its slots."""
    bound = listening()
    url = f"http://127.0.0.1:{port_of(bound)}"
    async with served(azure.app(), bound):
        rest = Rest(Tokens(), Outbound(), base_url=url, scope=f"{url}/.default", poll_seconds=0.01)
        slots = AzureSlots(Place(SITES, f"{url}/packages"), rest)
        yield slots
        await rest.aclose()


@pytest.fixture(scope="session")
def private_state() -> dict[str, Any]:
    """Return the private estate's state, in which every name is known."""
    with Workspace(INFRA, var_files=[environment("private")]) as workspace:
        return dict(workspace.apply())
