"""Every address that the application answers, and who may ask it."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.routing import APIRoute
from markdown import table

from secure_openai.app import create_app
from secure_openai.edge.access import Access, access_of
from secure_openai.settings import Settings

HEAD = """# Routes

Every address that the application answers declares who may ask it; one that does not stops the
start. Files of our own under `/static` are for everyone. Who is not signed in gets 401, or the
sign-in page in a browser; who lacks the role gets 403 and a record in the audit.

"""


def routes() -> str:
    """Return the page."""
    rows = sorted(_rows(), key=lambda row: (row[1], row[0]))
    return HEAD + table(("method", "address", "for", "does"), rows) + "\n"


def _rows() -> Iterator[tuple[str, str, str, str]]:
    app = create_app(
        Settings.model_validate(
            {
                "public_url": "http://localhost:8400",
                "authority": "http://localhost:8401/tenant/v2.0",
                "tenant_id": "tenant",
                "client_id": "client",
                "data": "unused",
                "model_source": "scripted",
            }
        )
    )
    for route in app.routes:
        access = access_of(route)
        if isinstance(route, APIRoute) and access is not None:
            does = (route.endpoint.__doc__ or "").strip().partition("\n\n")[0]
            for method in sorted(route.methods):
                yield method, f"`{route.path}`", _for(access), does


def _for(access: Access) -> str:
    if access.public:
        return "everyone"
    return " or ".join(f"`{role}`" for role in sorted(access.roles)) or "who is signed in"
