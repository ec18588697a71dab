"""What a package is made for: a version of Python on a platform."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from packaging.tags import Tag, compatible_tags, cpython_tags

from secure_openai.errors import DeliveryError

PYTHON: Final = "3.13"
"""What the estate runs on (`python_version` in infra/modules/app)."""

PLATFORM: Final = "linux_x86_64"

MACHINES: Final = {"linux_x86_64": "x86_64", "linux_aarch64": "aarch64"}

_OLDEST_PYTHON: Final = (3, 11)
_VERSION: Final = re.compile(r"3\.(\d{1,2})")

_GLIBC: Final = (28, 27, 26, 24, 17, 12, 5)
"""Minor versions of glibc 2 that wheels are built for (PEP 600), at most what App Service's oldest
image of these Pythons has (Debian 11: 2.31)."""

_LEGACY: Final = ("manylinux2014", "manylinux2010", "manylinux1")


@dataclass(frozen=True, slots=True)
class Target:
    """A version of Python on a platform.

    Attributes:
        python: Such as 3.13.
        platform: `linux_x86_64`, which App Service and Functions are, or `linux_aarch64`.
    """

    python: str = PYTHON
    platform: str = PLATFORM

    def __post_init__(self) -> None:
        version = _VERSION.fullmatch(self.python)
        if version is None or (3, int(version.group(1))) < _OLDEST_PYTHON:
            raise DeliveryError(
                f"{self.python!r} is no Python to package for: write --python 3.13, or 3.11 or "
                "later as the estate's python_version says."
            )
        if self.platform not in MACHINES:
            raise DeliveryError(
                f"{self.platform!r} is no platform to package for: write --platform "
                f"{' or '.join(MACHINES)}."
            )

    @property
    def machine(self) -> str:
        """Return the processor, as `platform.machine()` says it there."""
        return MACHINES[self.platform]

    @property
    def tags(self) -> list[str]:
        """Return the platform tags whose wheels run there, the best first (PEP 425, 513, 600)."""
        modern = [f"manylinux_2_{minor}_{self.machine}" for minor in _GLIBC]
        legacy = [f"{name}_{self.machine}" for name in _LEGACY]
        return [*modern, *legacy, self.platform]

    def wheel_tags(self) -> frozenset[Tag]:
        """Return every tag of a wheel that is for this target (PEP 425)."""
        version = (3, int(self.python.partition(".")[2]))
        interpreter = f"cp3{version[1]}"
        return frozenset(
            (
                *cpython_tags(version, [interpreter], self.tags),
                *compatible_tags(version, interpreter, self.tags),
            )
        )

    @property
    def markers(self) -> dict[str, str]:
        """Return the environment that markers ask for (PyPA, "Dependency specifiers").

        The patch release is not known before the host runs: markers compare minor versions.
        """
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }
