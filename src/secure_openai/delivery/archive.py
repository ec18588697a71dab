"""Zip files whose bytes follow from what is in them and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_WHEN: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can say."""

_UNIX: Final = 3
_READABLE: Final = 0o100644 << 16
_LEVEL: Final = 6


def write_archive(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write a zip file: paths in order, one time, one mode. It is there whole, or not at all.

    Args:
        path: Where; a file of that name is replaced.
        contents: Bytes by path inside.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        with ZipFile(beside, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            for name in sorted(contents):
                info = ZipInfo(name, _WHEN)
                info.create_system, info.external_attr = _UNIX, _READABLE
                info.compress_type = ZIP_DEFLATED
                archive.writestr(info, contents[name])
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
