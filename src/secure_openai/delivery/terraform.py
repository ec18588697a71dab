"""Terraform as a program, in a folder of one's own, with the caller's sign-in to Azure."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from secure_openai.errors import DeliveryError

PROGRAMS: Final = ("terraform", "tofu")
"""What is looked for on the PATH, in this order."""

LOCK: Final = ".terraform.lock.hcl"

_HANDED_ON: Final = re.compile(
    r"TF_VAR_.+|TF_TOKEN_.+|TF_WORKSPACE|TF_PLUGIN_CACHE_DIR|TF_ENCRYPTION"
    r"|TF_REGISTRY_(?:CLIENT_TIMEOUT|DISCOVERY_RETRY)"
)
"""Of Terraform's own settings in the environment: nothing that replaces a program, moves what is
kept, or writes down what is secret ("Environment Variables", Terraform CLI)."""

_REFUSED: Final = {
    "TF_REATTACH_PROVIDERS": "it replaces locked providers by programs that nobody has locked",
    **dict.fromkeys(
        (
            "ARM_METADATA_HOSTNAME",
            "ARM_METADATA_HOST",
            "ARM_ENDPOINT",
            "ARM_RESOURCE_MANAGER_ENDPOINT",
            "ARM_ACTIVE_DIRECTORY_AUTHORITY_HOST",
        ),
        "it sends your sign-in to Azure somewhere else",
    ),
}
_INITIALISED: Final = (".terraform", "terraform.tfstate")
_CONFIGURATION: Final = "disable_checkpoint = true\n"
_REQUIRED: Final = re.compile(r"\brequired_providers\s*\{(.*?)\}\s*\}", re.DOTALL)
_SOURCE: Final = re.compile(r'^\s*source\s*=\s*"(?:[^"/]+/)?([^"/]+/[^"/]+)"', re.MULTILINE)
_LOCKED: Final = re.compile(
    r'^provider "[^"]*?([^"/]+/[^"/]+)" \{(.*?)^\}', re.MULTILINE | re.DOTALL
)
_HASH: Final = re.compile(r'^\s*"(?:h1|zh):[A-Za-z0-9+/=]{43,64}",?\s*$', re.MULTILINE)
_STALE: Final = "saved plan is stale"
_LAST: Final = 12

Tell = Callable[[str], None]


class StalePlan(DeliveryError):
    """The estate's state has changed since the plan was made: nothing was applied."""


class Unfinished(DeliveryError):
    """Terraform began to apply, and did not come to the end."""


@dataclass(frozen=True, slots=True)
class Terraform:
    """A folder of Terraform, and the program that works in it.

    Attributes:
        folder: The root module.
        program: Where the program lies.
        configuration: Its CLI configuration, in a folder of our own: one's own may replace
            providers by any program (`dev_overrides`).
    """

    folder: Path
    program: str
    configuration: Path

    @classmethod
    def of(cls, folder: Path, private: Path) -> Terraform:
        """Return the folder with the program of the PATH.

        Args:
            folder: The root module.
            private: A folder of our own.

        Raises:
            DeliveryError: There is no program, no configuration, or a provider is not locked; or
                the environment has a setting that would have another program run.
        """
        _require_plain()
        folder = folder.resolve()
        if not any(folder.glob("*.tf")):
            raise DeliveryError(f"{folder} holds no Terraform configuration (*.tf).")
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise DeliveryError(
                "Neither terraform nor tofu is on the PATH: install one; the estate needs 1.11 or "
                "later."
            )
        _require_locked(folder)
        configuration = private / "terraform.rc"
        configuration.write_text(_CONFIGURATION, encoding="utf-8")
        # A relative one of the PATH would be looked for below the folder that it runs in.
        return cls(folder, str(Path(program).absolute()), configuration)

    def initialise(self, backend: Path | None) -> None:
        """Initialise with locked providers only.

        Args:
            backend: The file that says where state is kept; None where that is said already.

        Raises:
            DeliveryError: It cannot be initialised.
        """
        named = [] if backend is None else [f"-backend-config={backend.resolve()}"]
        self._run("init", "-input=false", "-no-color", "-lockfile=readonly", *named)

    @property
    def workspace(self) -> str:
        """Return the name of the workspace."""
        return self._run("workspace", "show").strip()

    @property
    def kept_at(self) -> str | None:
        """Return the SHA-256 of where state is kept, as it is initialised; None: in the folder.

        Raises:
            DeliveryError: It cannot be read.
        """
        try:
            said = json.loads(self.folder.joinpath(*_INITIALISED).read_text(encoding="utf-8"))
            backend = said["backend"]
            where = json.dumps([backend["type"], backend["config"]], sort_keys=True)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            raise DeliveryError(
                f"{self.folder.joinpath(*_INITIALISED)} does not say where state is kept: remove "
                "it, and give --backend-config."
            ) from None
        return hashlib.sha256(where.encode()).hexdigest()

    def plan(self, output: Path, variables: Sequence[Path]) -> None:
        """Plan into a file that belongs to whoever runs this.

        Raises:
            DeliveryError: Terraform refuses the configuration, or cannot ask what it needs.
        """
        files = [f"-var-file={one.resolve()}" for one in variables]
        self._run("plan", "-input=false", "-no-color", f"-out={output}", *files)

    def shown(self, plan: Path) -> str:
        """Return a plan as JSON."""
        return self._run("show", "-json", "-no-color", str(plan))

    def apply(self, plan: Path) -> None:
        """Carry out a plan, and let whoever looks on see what Terraform says.

        Raises:
            StalePlan: It is of a state that is no more; nothing was done.
            Unfinished: It began, and did not come to the end.
        """
        said: list[str] = []
        with subprocess.Popen(  # noqa: S603 - the program of the PATH, without a shell
            [self.program, "apply", "-input=false", "-no-color", str(plan)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            interrupted = False
            while True:
                try:
                    _pass_on(process, said)
                    break
                except KeyboardInterrupt:
                    # Terraform has had it too: it ends what is under way, and keeps its state.
                    interrupted = True
        if interrupted and process.returncode == 0:
            raise KeyboardInterrupt
        if process.returncode != 0:
            if _STALE in "\n".join(said).lower():
                raise StalePlan(
                    "The estate's state has changed since it was planned, so Terraform did "
                    "nothing: plan again."
                )
            raise Unfinished("Terraform did not come to the end of the plan.")

    def output(self, name: str) -> str:
        """Return one of the estate's outputs as JSON.

        Raises:
            DeliveryError: There is none of the name.
        """
        return self._run("output", "-json", "-no-color", name)

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the caller's environment, with those of Terraform's settings that are harmless."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("TF_") or _HANDED_ON.fullmatch(name)
        }
        return kept | {
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(self.configuration),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }

    def _run(self, *arguments: str) -> str:
        ran = subprocess.run(  # noqa: S603 - the program of the PATH, without a shell
            [self.program, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if ran.returncode != 0:
            said = [line for line in (ran.stderr or ran.stdout).splitlines() if line.strip(" │╷╵")]
            words = "\n".join(said[-_LAST:])
            raise DeliveryError(
                f"terraform {arguments[0]} failed, and nothing was applied:\n{words}"
            )
        return ran.stdout


def _pass_on(process: subprocess.Popen[str], said: list[str]) -> None:
    """Print what a process says until it ends, and keep its last lines."""
    for line in process.stdout or ():
        print(line, end="", flush=True)  # noqa: T201 - Terraform's own words
        said.append(line)
        del said[:-200]
    process.wait()


def _require_plain() -> None:
    """Return if the environment has nothing that would send Terraform astray.

    Raises:
        DeliveryError: It has.
    """
    for name, why in _REFUSED.items():
        if os.environ.get(name):
            raise DeliveryError(f"{name} is set, and {why}: unset it, and run this again.")


def _require_locked(folder: Path) -> None:
    """Return if every provider that the folder names, or locks, is locked by hash.

    What its modules need beside that, `init -lockfile=readonly` refuses to add.

    Raises:
        DeliveryError: One is not: it could be another program each time, with our rights.
    """
    wanted = {
        source
        for file in folder.glob("*.tf")
        for required in _REQUIRED.findall(file.read_text(encoding="utf-8"))
        for source in _SOURCE.findall(required)
    }
    try:
        listed = _LOCKED.findall((folder / LOCK).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        listed = []
    locked = {source for source, block in listed if _HASH.search(block)}
    if missing := sorted((wanted | {source for source, _ in listed}) - locked):
        raise DeliveryError(
            f"{folder / LOCK} does not lock {', '.join(missing)} by a hash: run 'terraform "
            f"-chdir={folder} providers lock -platform=linux_amd64 -platform=darwin_arm64', "
            "read what it wrote, and keep it."
        )
