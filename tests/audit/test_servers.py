"""The servers of the tests end with the tests."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from tests.cosmosdb.server import running_server
from tests.store.azure.estate import STORAGE, make_certificate, running_azurite

pytestmark = pytest.mark.process


@pytest.mark.parametrize("name", ["azurite", "cosmosdb-server"])
def test_nothing_is_left(tmp_path: Path, name: str) -> None:
    """When the block is left, no process that it began runs on."""
    before = set(psutil.Process().children(recursive=True))
    server: AbstractContextManager[object] = (
        running_azurite(tmp_path, *make_certificate(tmp_path, STORAGE))
        if name == "azurite"
        else running_server()
    )
    with server:
        began = set(psutil.Process().children(recursive=True)) - before
        assert began

    assert not any(process.is_running() for process in began)
