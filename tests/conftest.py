"""What many tests need."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path

import httpcore2
import pytest

_TESTING = Path(__file__).parents[1] / "src" / "secure_openai" / "testing"

# Before anything imports them: a contract suite's assertions read as a test's own do.
pytest.register_assert_rewrite(
    *(f"secure_openai.testing.{path.stem}" for path in _TESTING.glob("*_contract.py"))
)

from secure_openai.local.identity_provider.signing_keys import (  # noqa: E402 - see above
    FILE_NAME,
    new_key,
    write_keys,
)
from tests.tls import Tls, make_tls  # noqa: E402 - see above
from tests.world import World, running_world  # noqa: E402 - see above


@pytest.fixture(scope="session")
def signing_keys(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of signing keys, made once: making RSA keys is slow."""
    path = tmp_path_factory.mktemp("keys") / FILE_NAME
    write_keys(path, [new_key()])
    return path.read_bytes()


@pytest.fixture(scope="session", autouse=True)
def system_trust() -> Iterator[None]:
    """Let the tests' HTTP clients share the system's certificates: each reads them for 30 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", cache(httpcore2.default_ssl_context))
        yield


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate of localhost and of Azure Resource Manager, made once."""
    return make_tls(tmp_path_factory.mktemp("tls"), "localhost", "management.azure.com")


@pytest.fixture
def identity_folder(tmp_path: Path, signing_keys: bytes) -> Path:
    """An issuer's data folder with its keys in place."""
    folder = tmp_path / "identity"
    folder.mkdir(mode=stat.S_IRWXU)
    (folder / FILE_NAME).write_bytes(signing_keys)
    (folder / FILE_NAME).chmod(stat.S_IRUSR | stat.S_IWUSR)
    return folder


@pytest.fixture
async def world(tmp_path: Path, identity_folder: Path) -> AsyncIterator[World]:
    """The application and its issuer, with the scripted model."""
    async with running_world(tmp_path, identity_folder) as running:
        yield running
