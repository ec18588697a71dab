"""The versions of the providers whose schemas travel with the package.

They stand beside the schemas: reading one of those takes as long as a whole proof.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

LISTED: Final = Path(__file__).with_name("data") / "versions.json"
"""The file that names them."""


@cache
def versions() -> Mapping[str, str]:
    """Return the version of each provider by its source."""
    found: dict[str, str] = json.loads(LISTED.read_bytes())
    return MappingProxyType(found)
