"""Run an ASGI application on loopback until told to stop, or until the parent is gone."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from secure_openai.errors import StartError
from secure_openai.local.parent import watch_parent
from secure_openai.settings import azure_host, is_loopback_host

GRACE_SECONDS = 5


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    parent_pipe: int | None = None,
    grace_seconds: int = GRACE_SECONDS,
) -> None:
    """Serve until SIGINT, SIGTERM, or the parent's end.

    Args:
        app: What to serve.
        host: Address to listen on.
        port: Port to listen on.
        parent_pipe: Reading end of the parent's pipe, if a parent is to be outlived by nobody.
        grace_seconds: How long requests under way may go on after the end was asked for.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            # The access log would write query strings, and with them codes and states.
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=grace_seconds,
            ws="none",
        )
    )
    if parent_pipe is not None:
        watch_parent(parent_pipe, lambda: setattr(server, "should_exit", True))
    server.run()


def require_laptop(host: str) -> None:
    """Return if this can only be a laptop.

    Raises:
        StartError: The host is not loopback, or the environment says that this is an Azure host.
    """
    if not is_loopback_host(host):
        raise StartError(f"{host} is not a loopback address: this server is for the laptop only.")
    if azure_host():
        raise StartError("The environment says that this is an Azure host: use Entra ID there.")
