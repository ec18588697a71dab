"""Every setting, from the fields of `Settings`."""

from __future__ import annotations

import inspect
from enum import Enum
from pathlib import Path

from markdown import table
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from secure_openai.credential_settings import CredentialSettings
from secure_openai.environment import variable_of
from secure_openai.model_settings import ModelSettings
from secure_openai.settings import Settings
from secure_openai.store_settings import StoreSettings

GROUPS = {
    "The application": Settings,
    "Where completions come from": ModelSettings,
    "Where things are kept": StoreSettings,
    "How it proves itself to Azure": CredentialSettings,
}
"""Each setting stands with the class that declares it."""

HEAD = """# Settings

Every setting is an environment variable. A name that is not one of these stops the start, and so
does a value that cannot be: `secure-openai check` says every mistake at once. On a laptop `up`
sets all that is needed; in Azure the Terraform does, except for what is said otherwise there.

"""


def settings() -> str:
    """Return the page."""
    parts = []
    for title, group in GROUPS.items():
        own = {name: one for name, one in group.model_fields.items() if name in _declared(group)}
        rows = ((f"`{variable_of(n)}`", _default(f), f.description or "") for n, f in own.items())
        parts.append(f"## {title}\n\n{table(('variable', 'unless set', 'means'), rows)}\n")
    return HEAD + "\n".join(parts)


def _declared(group: type) -> set[str]:
    return set(inspect.get_annotations(group))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    value = field.get_default(call_default_factory=False)
    if value is PydanticUndefined or value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"
