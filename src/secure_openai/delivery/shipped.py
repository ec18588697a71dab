"""What ships beside the code: templates, Terraform, requirements, the Function App's triggers.

A clone has them at its root; a wheel carries them in this package (`sources` in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from secure_openai.errors import DeliveryError

_INSIDE: Final = Path(__file__).parent / "shipped"
_CLONE: Final = Path(__file__).parents[3]

LEFT_OUT: Final = frozenset({"__pycache__", ".terraform", ".terraform.lock.hcl", ".DS_Store"})
"""What tools leave in a clone and nobody means to ship."""


def clone() -> Path | None:
    """Return the clone that this package runs from, or `None` where it was installed."""
    return _CLONE if not _INSIDE.is_dir() and (_CLONE / "pyproject.toml").is_file() else None


def shipped(name: str) -> Path:
    """Return a folder or file that ships, such as `infra` or `requirements/azure.txt`.

    Raises:
        DeliveryError: This installation lacks it.
    """
    path = (_INSIDE if _INSIDE.is_dir() else _CLONE) / name
    if not path.exists():
        raise DeliveryError(
            f"This installation lacks {name}: install the framework's wheel again, or work from a "
            "clone."
        )
    return path


def files_of(folder: Path) -> Iterator[Path]:
    """Yield every file under a folder in order, without what tools leave behind."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        state = ".tfstate" in path.name or path.suffix == ".pyc"
        if path.is_file() and not state and LEFT_OUT.isdisjoint(inside.parts):
            yield path
