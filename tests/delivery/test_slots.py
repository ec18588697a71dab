"""Both implementations of slots keep their contract; what is particular to Azure is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from secure_openai.delivery.azure.place import read_place
from secure_openai.delivery.azure.slots import AzureSlots
from secure_openai.delivery.package import Kind
from secure_openai.delivery.placed import packages_in, taken
from secure_openai.delivery.rehearsal import Rehearsal
from secure_openai.delivery.slots import Slot, SwapUncertain
from secure_openai.delivery.wheels import sha256_of
from secure_openai.errors import DeliveryError
from secure_openai.testing.slots_contract import Packages, Runs, SlotsContract
from tests.delivery.app_service import FUNCTIONS, STICKY, WEB, AppService
from tests.delivery.conftest import SITES, package
from tests.system import free_ports


@pytest.mark.process
class TestRehearsal(SlotsContract):
    """A folder keeps the contract."""

    @pytest.fixture
    async def slots(self, tmp_path: Path) -> AsyncIterator[Rehearsal]:
        """Return a folder's slots."""
        rehearsal = Rehearsal(tmp_path / "slots", free_ports())
        await rehearsal.start()
        yield rehearsal
        await rehearsal.aclose()

    @pytest.fixture
    def runs(self, tmp_path: Path, packages: Packages) -> Runs:
        """Return what says which package lies where."""

        def runs(kind: Kind, slot: Slot) -> str | None:
            number = tmp_path / "slots" / slot / kind / "number"
            return packages[kind][int(number.read_text()) - 1].sha256 if number.exists() else None

        return runs


class TestAzure(SlotsContract):
    """App Service keeps the contract, as far as its shapes tell."""

    @pytest.fixture
    def slots(self, in_azure: AzureSlots) -> AzureSlots:
        """Return its slots."""
        return in_azure

    @pytest.fixture
    def runs(self, azure: AppService) -> Runs:
        """Return what says which package runs where, by the digest in its name."""

        def runs(kind: Kind, slot: Slot) -> str | None:
            address = azure.sites[SITES[kind].lower()][slot].package
            return None if address is None else address.rpartition("-")[2].removesuffix(".zip")

        return runs


async def test_a_package_waits_by_its_digest_and_is_fetched_by_identity(
    in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """The setting names the blob without a signature, and every other setting stays."""
    one = packages[Kind.FUNCTIONS][0]
    await in_azure.place(one)
    settings = azure.sites[FUNCTIONS.lower()]["staging"].settings

    assert azure.blobs == {f"functions-{one.sha256}.zip": one.path.read_bytes()}
    assert settings["WEBSITE_RUN_FROM_PACKAGE"].endswith(f"/packages/functions-{one.sha256}.zip")
    assert "?" not in settings["WEBSITE_RUN_FROM_PACKAGE"]
    assert (settings["OTHER"], settings[STICKY]) == ("kept", "id-staging")


@pytest.mark.parametrize("kind", list(Kind))
async def test_what_lies_under_a_packages_digest_is_that_package(
    kind: Kind, in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """Whoever may write to package storage foresees a digest: what waits there is read first."""
    one = packages[kind][0]
    name = f"{kind}-{one.sha256}.zip"
    azure.blobs[name] = one.path.read_bytes()
    await in_azure.place(one)
    azure.blobs[name] = b"something else"
    azure.asked.clear()

    with pytest.raises(DeliveryError, match=f"What lies at {name} is another package"):
        await in_azure.place(one)
    assert [one for one in azure.asked if "/subscriptions/" in one] == []


@pytest.mark.parametrize("kind", list(Kind))
async def test_what_is_rewritten_in_storage_is_not_sent_for(
    kind: Kind, in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """What lies there is compared just before an application is told of it, ours or not."""
    azure.rewritten = b"something else"

    with pytest.raises(DeliveryError, match="is another package than its name says"):
        await in_azure.place(packages[kind][0])
    assert azure.sites[SITES[kind].lower()]["staging"].package is None
    assert [one for one in azure.asked if one.startswith("PUT /subscriptions/")] == []


async def test_the_web_application_says_when_it_cannot_fetch(
    in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """The sentence names where to look."""
    azure.unreachable_storage = True

    with pytest.raises(DeliveryError, match="package storage is reached from its network"):
        await in_azure.place(packages[Kind.APP][0])


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("/config/appsettings/list", r"this needs Contributor on the applications"),
        (".zip", r"this needs Storage Blob Data Contributor on the container"),
    ],
)
async def test_a_missing_role_is_named(
    end: str, said: str, in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """And nothing of what Azure wrote beside its code."""
    error = {"error": {"code": "AuthorizationFailed", "message": "client 1234 does not"}}
    azure.answers[end] = JSONResponse(error, status_code=403)

    with pytest.raises(DeliveryError, match=said) as caught:
        await in_azure.place(packages[Kind.FUNCTIONS][0])
    assert "1234" not in str(caught.value)


async def test_a_swap_that_was_refused_has_not_happened(
    in_azure: AzureSlots, azure: AppService
) -> None:
    """Refused is certain; a server that fails afterwards is not."""
    azure.answers["/slotsswap"] = JSONResponse({"error": {"code": "Conflict"}}, status_code=409)
    with pytest.raises(DeliveryError) as caught:
        await in_azure.swap(Kind.APP)
    assert not isinstance(caught.value, SwapUncertain)
    azure.answers["/slotsswap"] = JSONResponse({}, status_code=500)
    asked = len(azure.asked)
    with pytest.raises(SwapUncertain, match="Nobody knows whether app was swapped"):
        await in_azure.swap(Kind.APP)
    # Asked once: a second swap would undo the first.
    assert len(azure.asked) == asked + 1
    del azure.answers["/slotsswap"]
    azure.answers["GET /operations/1"] = JSONResponse({}, status_code=404)
    with pytest.raises(SwapUncertain, match="Nobody knows whether app was swapped"):
        await in_azure.swap(Kind.APP)


async def test_our_token_goes_nowhere_else(in_azure: AzureSlots, azure: AppService) -> None:
    """A location on another host is not followed."""
    headers = {"Location": "https://elsewhere.example/operations/1"}
    azure.answers["/slotsswap"] = JSONResponse({}, status_code=202, headers=headers)

    with pytest.raises(DeliveryError, match="does not say how"):
        await in_azure.swap(Kind.APP)


async def test_a_function_app_without_its_timers_is_not_healthy(
    in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """Each that its host does not know is named."""
    await in_azure.place(packages[Kind.FUNCTIONS][0])
    assert (await in_azure.look(Kind.FUNCTIONS, Slot.STAGING)).healthy
    azure.answers["/functions"] = JSONResponse({"value": []})
    sight = await in_azure.look(Kind.FUNCTIONS, Slot.STAGING)

    assert not sight.healthy
    assert sight.says.startswith("it lacks ")


@pytest.mark.parametrize(
    ("web", "url", "said"),
    [
        ("/subscriptions/x", "https://a.blob.core.windows.net/packages", "no App Service's id"),
        (WEB, "http://a.blob.core.windows.net/packages", "packages.container_url"),
        (WEB, "https://a.blob.core.windows.net/", "packages.container_url"),
        (WEB, "https://a.blob.core.windows.net/packages?sig=x", "packages.container_url"),
        (WEB, "https://a.example/packages", "packages.container_url"),
        (WEB, "https://a.blob.core.windows.net.evil.example/packages", "packages.container_url"),
    ],
)
def test_a_place_that_is_none_is_refused(web: str, url: str, said: str, tmp_path: Path) -> None:
    """Our token goes to the services that are meant, and to no other address."""
    (tmp_path / "applications.json").write_text(json.dumps({"web": web, "functions": FUNCTIONS}))

    with pytest.raises(DeliveryError, match=said):
        read_place(tmp_path / "applications.json", url)


def test_a_package_that_differs_from_its_digest_is_refused(tmp_path: Path) -> None:
    """What was made is what is deployed."""
    with pytest.raises(DeliveryError, match="holds no package app"):
        packages_in(tmp_path)
    (tmp_path / "app.zip").write_bytes(b"zip")
    (tmp_path / "app.sha256").write_text(f"{'0' * 64}  app.zip\n")
    with pytest.raises(DeliveryError, match="differs from the digest"):
        packages_in(tmp_path)


def test_a_package_is_taken_once_and_for_all(tmp_path: Path) -> None:
    """What is swapped after it was compared is refused, and what was taken stays what it was."""
    found = [package(tmp_path, kind, 1) for kind in Kind]
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    copies = taken(found, private)
    for one in found:
        one.path.write_bytes(b"evil")

    assert [one.sha256 for one in found] == [sha256_of(one.path) for one in copies]
    with pytest.raises(DeliveryError, match="was changed while it was read"):
        taken(found, private)


@pytest.mark.process
async def test_a_package_for_another_python_is_not_rehearsed(tmp_path: Path) -> None:
    """It could not start here, and that would say nothing of it."""
    other = package(tmp_path, Kind.APP, 1, python="3.99")

    assert not sys.version.startswith("3.99")
    with pytest.raises(DeliveryError, match=r"is for Python 3\.99, and this is"):
        await Rehearsal(tmp_path / "slots", free_ports()).place(other)
