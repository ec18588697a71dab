"""The stand-ins as running providers: gRPC servers in this process, which Terraform attaches to.

Terraform finds them by `TF_REATTACH_PROVIDERS`, which is meant for debugging providers: it starts
no plugin, checks no version and writes no lock entry (Terraform, "Debugging Providers").
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc

from secure_openai.posture.simulation.cloud import Cloud
from secure_openai.posture.simulation.protocol import MESSAGES, METHODS, SERVICE, diagnostic
from secure_openai.posture.simulation.provider import Provider
from secure_openai.posture.simulation.schema import PROVIDERS, load

VARIABLE: Final = "TF_REATTACH_PROVIDERS"

_REGISTRIES: Final = ("registry.terraform.io", "registry.opentofu.org")
_WORKERS: Final = 4
_UNLIMITED: Final = -1
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")
_CONTROL: Final = {
    # What go-plugin asks beside the protocol: to stream output, of which there is none, to broker
    # further connections, which are never opened, and to shut down, which the workspace does.
    "plugin.GRPCStdio": {"StreamStdio": grpc.unary_stream_rpc_method_handler},
    "plugin.GRPCBroker": {"StartStream": grpc.stream_stream_rpc_method_handler},
}


class Servers:
    """One server a provider, for as long as the context lasts."""

    def __init__(self, folder: Path) -> None:
        """Prepare to serve.

        Args:
            folder: Where the sockets go; only its owner may enter it.
        """
        self._providers = [Provider(load(name), Cloud()) for name in PROVIDERS]
        self._folder = folder
        self._servers: list[Any] = []
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="stand-in")
        self._attached: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Start to serve."""
        for provider in self._providers:
            entry = self._serve(provider)
            for registry in _REGISTRIES:
                self._attached[f"{registry}/{provider.schema.source}"] = entry
        return self

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Work on an empty cloud for a while."""
        before = self._providers[0].cloud
        self.reset(Cloud())
        try:
            yield
        finally:
            self.reset(before)

    @contextlib.contextmanager
    def otherwise(self, *, yes: bool) -> Iterator[None]:
        """Let data sources answer yes, or no, for a while, where they would answer nothing."""
        cloud = self._providers[0].cloud
        cloud.otherwise = yes
        try:
            yield
        finally:
            cloud.otherwise = None

    def reset(self, cloud: Cloud) -> None:
        """Work on another cloud from here on."""
        for provider in self._providers:
            provider.cloud = cloud

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop at once; Terraform has ended before."""
        for stopped in [server.stop(None) for server in self._servers]:
            stopped.wait()
        self._pool.shutdown()

    @property
    def environment(self) -> dict[str, str]:
        """Return the variable by which Terraform finds the servers."""
        return {VARIABLE: json.dumps(self._attached)}

    def _serve(self, provider: Provider) -> dict[str, Any]:
        server = grpc.server(
            self._pool,
            options=[
                ("grpc.max_send_message_length", _UNLIMITED),
                ("grpc.max_receive_message_length", _UNLIMITED),
            ],
        )
        server.add_generic_rpc_handlers((_handlers(provider), *_control()))
        network, address = self._listen(server, provider.schema.name)
        server.start()
        self._servers.append(server)
        return {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": network, "String": address},
        }

    def _listen(self, server: Any, name: str) -> tuple[str, str]:
        if sys.platform == "win32" or not hasattr(socket, "AF_UNIX"):
            port = server.add_insecure_port("127.0.0.1:0")
            return "tcp", f"127.0.0.1:{port}"
        path = self._folder / f"{name}.sock"
        server.add_insecure_port(f"unix:{path}")
        return "unix", str(path)


def _handlers(provider: Provider) -> Any:
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            method: grpc.unary_unary_rpc_method_handler(
                _guarded(getattr(provider, _WORD.sub("_", method).lower()), method),
                request_deserializer=MESSAGES[f"{method}Request"].FromString,
                response_serializer=MESSAGES[f"{method}Response"].SerializeToString,
            )
            for method in METHODS
        },
    )


def _guarded(answer: Callable[[Any], Any], method: str) -> Callable[[Any, Any], Any]:
    """Turn a fault of ours into an error that Terraform shows, with the method that it struck."""
    kind = MESSAGES[f"{method}Response"]

    def handle(request: Any, _: Any) -> Any:
        try:
            return answer(request)
        # A fault must reach Terraform, whatever it is.
        except Exception as error:
            if "diagnostics" not in kind.DESCRIPTOR.fields_by_name:
                raise
            where = getattr(request, "type_name", "") or "provider"
            fault = diagnostic(
                f"The simulation of {where} failed",
                f"{method}: {type(error).__name__}: {error}. This is a fault of the simulation.",
            )
            return kind(diagnostics=[fault])

    return handle


def _control() -> list[Any]:
    return [
        grpc.method_handlers_generic_handler(
            service, {name: handler(lambda *_: iter(())) for name, handler in methods.items()}
        )
        for service, methods in _CONTROL.items()
    ]
