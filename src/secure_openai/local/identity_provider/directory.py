"""Whom the laptop's issuer knows: three demo people, one application, two clients."""

from __future__ import annotations

from dataclasses import dataclass

TENANT_ID = "5ec0de00-0000-4000-8000-000000000001"
WEB_CLIENT_ID = "5ec0de00-0000-4000-8000-000000000010"
COMMAND_LINE_CLIENT_ID = "5ec0de00-0000-4000-8000-000000000011"
SCOPE = "access_as_user"


@dataclass(frozen=True, slots=True)
class Person:
    """A demo person.

    Attributes:
        oid: Object id, the same on every laptop.
        name: Display name.
        username: `preferred_username`.
        roles: Application roles.
        about: One sentence for the page that offers the choice.
    """

    oid: str
    name: str
    username: str
    roles: tuple[str, ...]
    about: str


PEOPLE = (
    Person(
        "5ec0de00-0000-4000-8000-0000000000a1",
        "Ada Admin",
        "ada@contoso.example",
        ("admin", "user"),
        "Administers: usage, quotas, sessions and the audit, beside the chat.",
    ),
    Person(
        "5ec0de00-0000-4000-8000-0000000000a2",
        "Uma User",
        "uma@contoso.example",
        ("user",),
        "Chats, within the policy's limits.",
    ),
    Person(
        "5ec0de00-0000-4000-8000-0000000000a3",
        "Nora Norole",
        "nora@contoso.example",
        (),
        "Is known but has no role: sees what people without one see.",
    ),
)


@dataclass(frozen=True, slots=True)
class Application:
    """A demo application that asks for itself (client credentials)."""

    client_id: str
    oid: str
    roles: tuple[str, ...]


DAEMON = Application(
    "5ec0de00-0000-4000-8000-0000000000d1", "5ec0de00-0000-4000-8000-0000000000d2", ("service",)
)


def person(oid: str) -> Person | None:
    """Return the demo person of an object id, or `None`."""
    return next((item for item in PEOPLE if item.oid == oid), None)
