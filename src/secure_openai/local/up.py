"""The whole system on one machine: issuer, model and application, started and ended together."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from secure_openai.appearance import Appearance
from secure_openai.credential_source import credential_for
from secure_openai.errors import ConfigurationError, CredentialUnavailable, StartError
from secure_openai.local.folder import Folder, Running
from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    TENANT_ID,
    WEB_CLIENT_ID,
)
from secure_openai.local.model_server.engine import ANSWER_TOKENS, WINDOW_TOKENS
from secure_openai.local.processes import Child, Processes, require_free
from secure_openai.outbound import Outbound
from secure_openai.policy.decision import Policy
from secure_openai.settings import PREFIX, Settings, child_environment, model_key

DEFAULT_PORT = 8400
DRAIN_SECONDS = 4
START_SECONDS = 120.0
POLL_SECONDS = 0.05
REACH_SECONDS = 5.0
SCRIPTED = "scripted"
AZURE = "azure"


@dataclass(frozen=True, slots=True)
class Options:
    """What someone asked for.

    Attributes:
        port: Of the application; the issuer and the model take the two after it.
        data: The data folder.
        model: A GGUF file, an OpenAI-compatible address, `scripted`, `azure`, or `None` for the
            small one.
        policy: The policy's file, where the environment names none.
    """

    port: int
    data: Path
    model: str | None
    policy: str = ""

    @property
    def url(self) -> str:
        """Return where people go."""
        return f"http://localhost:{self.port}"

    @property
    def issuer_url(self) -> str:
        """Return the issuer's origin."""
        return f"http://localhost:{self.port + 1}"

    @property
    def authority(self) -> str:
        """Return the issuer."""
        return f"{self.issuer_url}/{TENANT_ID}/v2.0"

    @property
    def model_is_address(self) -> bool:
        """Return whether the model is served by someone else."""
        return self.model is not None and self.model.startswith(("http://", "https://"))


class Stopped(Exception):
    """The end was asked for by a signal."""


class System:
    """A system that starts, runs and stops."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.folder = Folder(options.data)
        self.model_name = ""
        # New with every start, known to the application and the model server alone, unless someone
        # chose it to ask the model server directly.
        self._model_key = model_key() or secrets.token_urlsafe(32)
        self._progress: Callable[[str, float | None], None] = lambda *_: None
        self._processes: Processes | None = None

    def tell(self, progress: Callable[[str, float | None], None]) -> None:
        """Tell `progress` what is happening, and how much of it is done where that is known."""
        self._progress = progress

    def start(self) -> None:
        """Start everything; return when the application is ready.

        Raises:
            StartError: Something that it needs is not there; one sentence says what.
        """
        ports = 2 if self._is_served else 3
        for port in range(self.options.port, self.options.port + ports):
            require_free(port)
        self._check_model()
        # What is wrong with settings, policy or appearance is said before anything starts.
        settings = Settings.load(child_environment(self._settings_of_application()))
        Policy.load(settings.policy)
        Appearance.load(settings.appearance)
        if self.options.model == AZURE:
            require_azure_sign_in(settings)
        self.folder.prepare()
        self.folder.lock()
        processes = self._processes = Processes(self.folder.path / "logs")
        self._progress("Starting the identity provider", None)
        issuer = processes.start("identity provider", self._issuer_command())
        model = self._start_model(processes)
        if model is not None:
            self._await_model(model)
        self._progress("Starting the application", None)
        application = processes.start(
            "application",
            [sys.executable, "-m", "secure_openai.cli", "serve"],
            environment=child_environment(self._settings_of_application()),
        )
        self._await(f"{self.options.issuer_url}/healthz", issuer)
        self._await(f"{self.options.url}/readyz", application)
        self.folder.say_running(
            Running(
                pid=os.getpid(),
                port=self.options.port,
                url=self.options.url,
                authority=self.options.authority,
                client_id=WEB_CLIENT_ID,
                command_line_client_id=COMMAND_LINE_CLIENT_ID,
            )
        )

    @property
    def _is_served(self) -> bool:
        """Return whether no model process of our own is needed."""
        return self.options.model in {SCRIPTED, AZURE} or self.options.model_is_address

    def _check_model(self) -> None:
        model = self.options.model
        if model is None or model in {SCRIPTED, AZURE}:
            return
        if self.options.model_is_address:
            if not _reachable(model):
                raise StartError(
                    f"Nothing answers at {model}: start what serves the model, or name another."
                )
            return
        if not Path(model).is_file():
            raise StartError(
                f"There is no model {model}: name a GGUF file, an http address of an "
                "OpenAI-compatible API, or scripted, with --model."
            )

    def _issuer_command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "secure_openai.local.identity_provider"),
            *("--host", "127.0.0.1", "--port", str(self.options.port + 1)),
            *("--data", str(self.folder.path / "identity")),
            *("--public-url", self.options.issuer_url, "--application-url", self.options.url),
        ]

    def _start_model(self, processes: Processes) -> Child | None:
        if self.options.model == SCRIPTED:
            self.model_name = "scripted answers"
            return None
        if self.options.model == AZURE:
            self.model_name = "Azure OpenAI, as who you are signed in"
            return None
        if self.options.model_is_address:
            self.model_name = f"what {self.options.model} serves"
            return None
        self._progress("Starting the model", None)
        command = [
            *(sys.executable, "-m", "secure_openai.local.model_server"),
            *("--port", str(self.options.port + 2)),
            *("--data", str(self.folder.path / "model")),
        ]
        if self.options.model is not None:
            command += ["--model", str(Path(self.options.model).absolute())]
        return processes.start(
            "model",
            command,
            environment=child_environment({f"{PREFIX}MODEL_KEY": self._model_key}),
            tells_progress=True,
        )

    def _await_model(self, model: Child) -> None:
        """Follow the model's own progress until it serves.

        Raises:
            StartError: It ended, or took too long.
        """
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

        def read() -> None:
            stdout = model.process.stdout
            assert stdout is not None  # noqa: S101 - started with a pipe
            with suppress(ValueError):
                for line in stdout:
                    lines.put(line)
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                line = lines.get(timeout=POLL_SECONDS)
            except queue.Empty:
                self._require_alive()
                if time.monotonic() > end:
                    raise StartError("The model did not start in time.") from None
                continue
            if line is None:
                model.process.wait()
                raise self._ended(model)
            with suppress(ValueError):
                said = json.loads(line)
                if said["phase"] == "joining":
                    self._progress("Unpacking the model", said["done"])
                elif said["phase"] == "loading":
                    self._progress("Loading the model", None)
                elif said["phase"] == "ready":
                    self.model_name = said["model"]
                    return

    def _settings_of_application(self) -> dict[str, str]:
        values = {
            "public_url": self.options.url,
            "listen_host": "127.0.0.1",
            "listen_port": str(self.options.port),
            "authority": self.options.authority,
            "tenant_id": TENANT_ID,
            "client_id": WEB_CLIENT_ID,
            "contact": "Ada Admin",
            "data": str(self.folder.path),
            # Shorter than what it takes here until a process is ended by force.
            "drain_seconds": str(DRAIN_SECONDS),
        }
        if self.options.policy:
            values["policy"] = self.options.policy
        if self.options.model in {SCRIPTED, AZURE}:
            values["model_source"] = str(self.options.model)
        elif self.options.model_is_address:
            values["model_url"] = str(self.options.model)
        else:
            values |= {
                "model_url": f"http://127.0.0.1:{self.options.port + 2}/v1",
                "model_deployments": "local",
                "model_key": self._model_key,
                "model_name": self.model_name,
                "model_window_tokens": str(WINDOW_TOKENS),
                "model_answer_tokens": str(ANSWER_TOKENS),
            }
        return {f"{PREFIX}{name.upper()}": value for name, value in values.items()}

    def _await(self, url: str, child: Child) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            self._require_alive()
            if _answers(url):
                return
            time.sleep(POLL_SECONDS)
        raise StartError(f"The {child.name} did not become ready in time; see {child.log}.")

    def _require_alive(self) -> None:
        if self._processes is None:
            return
        for child in self._processes.children:
            if child.ended is not None:
                raise self._ended(child)

    def _ended(self, child: Child) -> ConfigurationError:
        said = child.last_words()
        if child.ended == 2 and said:  # noqa: PLR2004 - it said what was missing
            return StartError(said.splitlines()[-1])
        return StartError(
            f"The {child.name} ended by itself (exit code {child.ended}). Its last words:\n{said}"
            if said
            else f"The {child.name} ended by itself (exit code {child.ended})."
        )

    def serves(self, path: str) -> bool:
        """Return whether the running application has anything at an address.

        Raises:
            StartError: It does not answer.
        """
        asked = HTTPConnection("localhost", self.options.port, timeout=REACH_SECONDS)
        try:
            asked.request("GET", path)
            return asked.getresponse().status != HTTPStatus.NOT_FOUND
        except (OSError, HTTPException):
            raise StartError("The application does not answer any more.") from None
        finally:
            asked.close()

    def watch(self) -> None:
        """Return never, while everything runs.

        Raises:
            StartError: A child ended.
        """
        while True:
            self._require_alive()
            time.sleep(0.5)

    def stop(self) -> None:
        """End everything; stopping what never started is no error."""
        if self._processes is not None:
            processes, self._processes = self._processes, None
            processes.stop()


def require_azure_sign_in(settings: Settings) -> None:
    """Return if Azure gives a token for its models to whoever is signed in here.

    Raises:
        StartError: Nobody is signed in, or what talks to Azure is not installed.
    """

    async def ask() -> None:
        credential = credential_for(settings, Outbound.of(settings))
        assert credential is not None  # noqa: S101 - these settings ask Azure
        try:
            await credential.bearer(settings.cloud_facts.model_scope)
        finally:
            await credential.close()

    try:
        asyncio.run(ask())
    except CredentialUnavailable:
        raise StartError(
            "Azure gives no token for its models: sign in first, with `az login` or "
            "`azd auth login`."
        ) from None


def _reachable(url: str) -> bool:
    """Return whether anything accepts connections at an address."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=REACH_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def _answers(url: str) -> bool:
    """Return whether an address of ours on loopback answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - ours, http
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, HTTPException):
        return False


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into `Stopped`, once; later ones change nothing."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - Python gives them
        nonlocal asked
        if not asked:
            asked = True
            raise Stopped

    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.signal(kind, stop) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
