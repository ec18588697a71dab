"""`secure-openai keys`."""

from __future__ import annotations

from typing import Annotated

import typer

from secure_openai.cli.console import DEFAULT_DATA, DataOption, out, told_clearly
from secure_openai.local.folder import Folder
from secure_openai.local.identity_provider.signing_keys import rotate as rotate_keys

app = typer.Typer(help="The laptop's issuer's signing keys.", no_args_is_help=True)


@app.command()
def rotate(
    data: DataOption = DEFAULT_DATA,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Earlier keys vanish at once: their tokens end.")
    ] = False,
) -> None:
    """Sign with a fresh key from now on, as Entra does without notice; no restart is needed.

    [bold]Examples[/bold]

      secure-openai keys rotate
      secure-openai keys rotate --drop-old
    """
    folder = Folder(data)
    with told_clearly():
        folder.require_ours()
        kid = rotate_keys(folder.path / "identity", drop_old=drop_old)
    out.print(f"The issuer signs with {kid[:12]}… now.")
