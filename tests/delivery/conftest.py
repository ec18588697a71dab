"""The packages of this clone, made once for whoever needs them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from secure_openai.delivery.package import Kind, Package, make_package
from secure_openai.delivery.target import Target

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Made:
    """Both packages, and what one of them lists."""

    app: Package
    functions: Package
    bill: dict[str, Any]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the packages of this clone, for the Python that runs this test."""
    folder = tmp_path_factory.mktemp("packages")
    target, wheels = Target(HERE), folder / "wheels"
    app = make_package(Kind.APP, folder, target=target, fetched=wheels)
    functions = make_package(Kind.FUNCTIONS, folder, target=target, fetched=wheels)
    return Made(app, functions, json.loads(app.bill.read_text()))
