"""The command line: `secure-openai`."""

from __future__ import annotations

import sys
from importlib import import_module

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    first, *rest = sys.argv[1:] or [""]
    if first == "prove":
        code = import_module("secure_openai.cli.proving").proven_at_once(rest)
        if code is not None:
            raise SystemExit(code)
    import_module("secure_openai.cli.main").app()
