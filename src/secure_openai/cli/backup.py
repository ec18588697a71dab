"""`secure-openai backup`."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import Annotated

import typer

from secure_openai.cli.console import DEFAULT_DATA, DataOption, out, told_clearly
from secure_openai.errors import StartError
from secure_openai.local.folder import DATABASE, MARKER, Folder
from secure_openai.store.seals import seal_name
from secure_openai.store.sqlite.database import backup as copy_database
from secure_openai.store.sqlite.verification import noted_seal_in

COPIED = ("identity", "keys", "seals")


def _copy_noted_seals(source: Folder, target: Folder) -> None:
    """Copy the seals that the copied database knows of and that were made while it was copied."""
    note = noted_seal_in(target.database)
    for number in range(note.number if note else 0, 0, -1):
        name = seal_name(number)
        if (target.seals / name).exists():
            return
        target.seals.mkdir(mode=stat.S_IRWXU, exist_ok=True)
        for key in source.seals.glob("*.jwk"):
            shutil.copy2(key, target.seals / key.name)
        if (source.seals / name).exists():
            shutil.copy2(source.seals / name, target.seals / name)


def backup(
    target: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Copy what is kept, also while the system runs; the copy is itself a data folder.

    The unpacked model is left out. The copy holds the keys: keep it as safe as the original.

    [bold]Examples[/bold]

      secure-openai backup ~/backups/monday
      secure-openai up --data ~/backups/monday
    """
    folder = Folder(data)
    with told_clearly():
        folder.require_ours()
        if target.exists():
            raise StartError(f"{target} exists already: name a folder that does not.")
        if not folder.database.exists():
            raise StartError(f"There is nothing to copy in {folder.path} yet.")
        try:
            target.mkdir(mode=stat.S_IRWXU, parents=True)
            # Seals before the database: one made meanwhile would reach further than the copied
            # chain, which looks like a cut tail.
            for name in COPIED:
                if (folder.path / name).is_dir():
                    shutil.copytree(
                        folder.path / name, target / name, ignore=shutil.ignore_patterns(".*")
                    )
            copy_database(folder.database, target / DATABASE)
            _copy_noted_seals(folder, Folder(target))
            (target / MARKER).touch(mode=stat.S_IRUSR | stat.S_IWUSR)
        except OSError as error:
            raise StartError(f"{target} cannot be written: {error.strerror or error}.") from None
    out.print(f"Copied to {target}.")
