"""Finding an application by its name."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from secure_openai.applications.application import Application
from secure_openai.errors import StartError


def load(name: str, folder: Path) -> Application:
    """Return the application that MODULE:NAME means in a folder.

    Raises:
        StartError: There is no such module, it has no such name, or that is no `Application`.
    """
    module_name, _, attribute = name.partition(":")
    if str(folder.absolute()) not in sys.path:
        sys.path.insert(0, str(folder.absolute()))
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise StartError(
            f"There is no module {module_name} in {folder.absolute()}: write the application as "
            'MODULE:NAME, such as "app:application".'
        ) from None
    found = getattr(module, attribute, None)
    if not isinstance(found, Application):
        raise StartError(f"{attribute} in {module.__file__} is no Application: {_MADE_AS}.")
    return found


_MADE_AS: Final = 'write application = Application("…")'
