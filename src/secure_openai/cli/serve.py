"""`secure-openai serve`: the application alone, as it runs in Azure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from secure_openai.app import create_app
from secure_openai.applications import load
from secure_openai.cli.console import told_clearly
from secure_openai.delivery.project import own_policy, project_in
from secure_openai.local.server import serve as serve_app
from secure_openai.settings import Settings
from secure_openai.streams import Drain
from secure_openai.telemetry.logs import write_log


def serve(
    parent_pipe: Annotated[int | None, typer.Option("--parent-pipe", hidden=True)] = None,
) -> None:
    """Serve the application with the settings of the environment.

    In a folder with secure-openai.toml, it is the application that it names, under its policy
    unless a setting names another.

    [bold]Example[/bold]

      SECURE_OPENAI_PUBLIC_URL=https://chat.contoso.com … secure-openai serve
    """
    with told_clearly():
        folder = Path()
        project = project_in(folder)
        settings = Settings.load(**own_policy(project))
        write_log()
        drain = Drain()
        own = load(project.application, folder) if project and project.application else None
        app = create_app(settings, drain) if own is None else own.create(settings, drain)
    serve_app(
        app,
        host=settings.listen_host,
        port=settings.listen_port,
        parent_pipe=parent_pipe,
        grace_seconds=settings.drain_seconds,
        drain=drain,
        own_log=True,
    )
