"""Run an ASGI application on loopback until told to stop, or until the parent is gone."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import time
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from secure_openai.errors import StartError
from secure_openai.local.parent import watch_parent
from secure_openai.local.protocol import BoundedHttpProtocol
from secure_openai.local.runtime import prepare_to_serve
from secure_openai.settings import azure_host, is_loopback_host
from secure_openai.streams import Drain

GRACE_SECONDS = 5
CLOSE_SECONDS = 3
"""How long the last words of what was cut off may take."""

POLL_SECONDS = 0.05
MOST_CONNECTIONS = 10_000
"""Far more than requests that are answered at once: most of them wait for their next one."""

FILES_BESIDE = 256
"""Open files that are no client's connection nor that of a request to a model."""

BACKLOG = 512
LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    parent_pipe: int | None = None,
    grace_seconds: int = GRACE_SECONDS,
    drain: Drain | None = None,
    own_log: bool = False,
) -> None:
    """Serve until SIGINT, SIGTERM, or the parent's end.

    Args:
        app: What to serve.
        host: Address to listen on.
        port: Port to listen on.
        parent_pipe: Reading end of the parent's pipe, if a parent is to be outlived by nobody.
        grace_seconds: How long requests under way may go on after the end was asked for.
        drain: Shared with an application that refuses what comes meanwhile, and cuts off what is
            left.
        own_log: Whether the process has said itself where its log goes.
    """
    server = DrainingServer(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            log_config=None if own_log else uvicorn.config.LOGGING_CONFIG,
            # The access log would write query strings, and with them codes and states.
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=grace_seconds if drain is None else CLOSE_SECONDS,
            ws="none",
            http=BoundedHttpProtocol,
            limit_concurrency=connections_at_most(),
        ),
        grace_seconds=grace_seconds,
        drain=Drain() if drain is None else drain,
    )
    if parent_pipe is not None:
        watch_parent(parent_pipe, lambda: setattr(server, "should_exit", True))
    server.run(loopback_sockets(port) if is_loopback_host(host) else None)


def connections_at_most() -> int:
    """Let this process open as many files as it may; return for how many connections that is.

    Each may need another one to a model. A process without files left could not even refuse.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MOST_CONNECTIONS + FILES_BESIDE
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    files = wanted if soft == resource.RLIM_INFINITY else soft
    return max(1, min(MOST_CONNECTIONS, (files - FILES_BESIDE) // 2))


class DrainingServer(uvicorn.Server):
    """Listens on while what is under way comes to its end.

    Who connects meanwhile is told by the application to ask elsewhere, instead of finding nobody. A
    second signal, or the limit, cuts off what is left; the application is closed in order always.
    """

    def __init__(self, config: uvicorn.Config, *, grace_seconds: float, drain: Drain) -> None:
        super().__init__(config)
        self._grace_seconds = grace_seconds
        self._drain = drain
        self._impatient = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end, or end at once if that was asked for already."""
        self._impatient = self._drain.begun
        self._drain.begin()
        super().handle_exit(sig, frame)
        # uvicorn would leave without closing the application, and so without the audit's last.
        self.force_exit = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the application, and prepare to serve with it."""
        await super().startup(sockets)
        prepare_to_serve()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for what is under way, cut off what is left, and close."""
        self._drain.begin()
        end = time.monotonic() + self._grace_seconds
        # What is looked at changes in a signal handler too, which may wake no event.
        while self._drain.under_way and not self._impatient and time.monotonic() < end:  # noqa: ASYNC110 - see above
            await asyncio.sleep(POLL_SECONDS)
        self._drain.cut()
        await super().shutdown(sockets)


def loopback_sockets(port: int) -> list[socket.socket]:
    """Return a listening socket on 127.0.0.1, and on ::1 where this machine has it.

    `localhost` may mean either: whoever else listened on the other one would be taken for us.

    Raises:
        StartError: The port is taken on one of them.
    """
    sockets: list[socket.socket] = []
    for family, address in LOOPBACKS:
        try:
            one = socket.socket(family)
        except OSError:
            continue
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            one.bind((address, port))
            # Listening at once: two may bind a port that is reused, one only can listen.
            one.listen(BACKLOG)
        except OSError as error:
            one.close()
            if error.errno == errno.EADDRNOTAVAIL and family == socket.AF_INET6:
                continue
            for other in sockets:
                other.close()
            raise StartError(
                f"Port {port} is taken: stop what uses it, or name another one with --port."
            ) from None
        sockets.append(one)
    return sockets


def require_laptop(host: str) -> None:
    """Return if this can only be a laptop.

    Raises:
        StartError: The host is not loopback, or the environment says that this is an Azure host.
    """
    if not is_loopback_host(host):
        raise StartError(f"{host} is not a loopback address: this server is for the laptop only.")
    if azure_host():
        raise StartError("The environment says that this is an Azure host: use Entra ID there.")
