"""Commands that answer as Azure's own command lines do when someone is signed in."""

from __future__ import annotations

import stat
from pathlib import Path

AZ = '{"accessToken": "from az", "expires_on": 4102444800, "tokenType": "Bearer"}'
AZD = '{"token": "from azd", "expiresOn": "2100-01-01T00:00:00Z"}'


def stand_in(folder: Path, name: str, says: str) -> None:
    """Write a command that says something, whatever it is asked."""
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    path.chmod(stat.S_IRWXU)
