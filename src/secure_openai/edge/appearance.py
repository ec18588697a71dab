"""An organisation's colours and logo, served as our own files under what they are."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from secure_openai.appearance import Appearance
from secure_openai.appearance.colour import contrast, mixed
from secure_openai.edge.access import SecuredRoute, public
from secure_openai.edge.assets import FOR_GOOD
from secure_openai.edge.authentication import assembly_of
from secure_openai.errors import NotFound

router = APIRouter(route_class=SecuredRoute, include_in_schema=False)

_INKS = ("#ffffff", "#0c1a33", "#000000")
_ENDS = {"light": "#000000", "dark": "#ffffff"}
_PAGES = {"light": "#ffffff", "dark": "#15171b"}
_TINTS = {"light": 0.1, "dark": 0.13}

# Opened by itself, a logo is a page: nothing in it runs or loads then either.
_INERT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def style_address(appearance: Appearance) -> str | None:
    """Return where the colours are found, or `None` where they are as they ship."""
    if not appearance.accents:
        return None
    return f"/appearance/{_digest(style_of(appearance).encode())}/style.css"


def logo_address(appearance: Appearance) -> str | None:
    """Return where the logo is found, or `None`."""
    logo = appearance.logo
    return None if logo is None else f"/appearance/{_digest(logo.content)}/logo"


@router.get("/appearance/{digest}/style.css")
@public
async def style(request: Request, digest: str) -> Response:  # noqa: ARG001 - only for caches
    """Return the colours of what acts, for both themes."""
    text = style_of(assembly_of(request).appearance)
    return Response(text, media_type="text/css", headers={"Cache-Control": FOR_GOOD})


@router.get("/appearance/{digest}/logo")
@public
async def logo(request: Request, digest: str) -> Response:  # noqa: ARG001 - only for caches
    """Return the logo."""
    picture = assembly_of(request).appearance.logo
    if picture is None:
        raise NotFound
    return Response(
        picture.content,
        media_type=picture.media_type,
        headers={"Cache-Control": FOR_GOOD, "Content-Security-Policy": _INERT},
    )


def style_of(appearance: Appearance) -> str:
    """Return a style sheet that puts the organisation's accents in place of ours."""
    rules = (
        f'[data-theme="{theme}"] {{ {_tokens(accent, theme)} }}\n'
        f"@media (prefers-color-scheme: {theme}) "
        f'{{ [data-theme="system"] {{ {_tokens(accent, theme)} }} }}\n'
        for theme, accent in appearance.accents.items()
    )
    return "".join(rules)


def _tokens(accent: str, theme: str) -> str:
    deep = mixed(accent, 0.82, _ENDS[theme])
    ink = max(_INKS, key=lambda one: min(contrast(one, accent), contrast(one, deep)))
    tint = mixed(accent, _TINTS[theme], _PAGES[theme])
    return f"--accent: {accent}; --accent-deep: {deep}; --on-accent: {ink}; --tint: {tint};"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
