"""Terraform with its stand-in providers, ready to run commands; kept between workspaces.

Terraform reads the address of its providers once, when it loads, and a provider's schema once in
its life. So the pair is kept and lent out, and the cloud behind it is new each time.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from secure_openai.posture.simulation.cloud import Cloud
from secure_openai.posture.simulation.core import Core, find, start
from secure_openai.posture.simulation.server import Servers

# No registry is asked, whatever the user's own CLI configuration says: what has no stand-in fails.
_CLI_CONFIGURATION: Final = """\
disable_checkpoint = true
provider_installation {{
  filesystem_mirror {{
    path    = "{empty}"
    include = ["*/*/*"]
  }}
}}
"""


class Machine:
    """One Terraform and its providers."""

    def __init__(self, chosen: str) -> None:
        """Start the providers; Terraform itself starts with its first command.

        Args:
            chosen: Which Terraform, as `core.find` returns it.
        """
        self.chosen = chosen
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="simulation-")))
        (folder / "empty").mkdir()
        configuration = folder / "terraform.rc"
        configuration.write_text(_CLI_CONFIGURATION.format(empty=(folder / "empty").as_posix()))
        self.servers = self._stack.enter_context(Servers(folder))
        self.core: Core = start(
            chosen,
            {
                # Nothing of the caller's own settings, credentials or variables gets in.
                "CHECKPOINT_DISABLE": "1",
                # Terraform lives for seconds: collecting less often saves a quarter of its time.
                "GOGC": "400",
                "HOME": str(folder),
                "PATH": os.defpath,
                "TF_CLI_CONFIG_FILE": str(configuration),
                "TF_IN_AUTOMATION": "1",
                **self.servers.environment,
            },
            folder,
        )
        self._stack.callback(self.core.close)

    def close(self) -> None:
        """Stop both."""
        self._stack.close()


_idle: list[Machine] = []
_lock: Final = threading.Lock()


@contextlib.contextmanager
def borrowed(wanted: str | None = None) -> Iterator[Machine]:
    """Lend a machine with an empty cloud, started if none is free.

    Raises:
        SimulationError: There is no such Terraform.
    """
    chosen = find(wanted)
    with _lock:
        free = next((machine for machine in _idle if machine.chosen == chosen), None)
        if free:
            _idle.remove(free)
    machine = free or Machine(chosen)
    machine.servers.reset(Cloud())
    try:
        yield machine
    finally:
        with _lock:
            _idle.append(machine)


@atexit.register
def close_idle() -> None:
    """Stop every machine that no one holds."""
    with _lock:
        machines, _idle[:] = list(_idle), []
    for machine in machines:
        machine.close()
