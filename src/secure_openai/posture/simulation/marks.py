"""How it is noted which values are made up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

Path = tuple[str | int, ...]
"""The way to a value: names of attributes and positions in lists."""

SECRET_PREFIX: Final = "simulated-secret-"  # noqa: S105 - no secret: it marks invented ones
"""How every invented key begins. What holds one elsewhere has copied it from there."""

_INVENTED: Final = "invented"


def written(paths: Iterable[Path]) -> bytes:
    """Return private data that names these paths.

    Terraform hands it back unread, and keeps it beside the resource in its state.
    """
    return json.dumps({_INVENTED: sorted(set(paths), key=repr)}).encode()


def read(private: bytes) -> list[Path]:
    """Return the paths that a resource's private data names."""
    if not private:
        return []
    return [tuple(path) for path in json.loads(private).get(_INVENTED, [])]
