"""How a person wants the pages: a theme and a language, in cookies that the server reads.

Because the server renders them, no page flashes in the wrong theme before a script has run.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from secure_openai.edge.access import SecuredRoute, public
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.cookies import delete_cookie, language_cookie, set_cookie, theme_cookie
from secure_openai.edge.language import languages
from secure_openai.edge.presentation import THEMES
from secure_openai.errors import RequestError
from secure_openai.sessions import local_path

YEAR_SECONDS = 365 * 24 * 3600

router = APIRouter(route_class=SecuredRoute, include_in_schema=False)


@router.post("/preferences")
@public
async def prefer(request: Request) -> Response:
    """Keep a theme, a language, or both, and go back to where the choice was made."""
    form = await request.form(max_files=0, max_fields=4)
    settings = assembly_of(request).settings
    response = RedirectResponse(local_path(str(form.get("return_to", "/"))), status_code=303)
    for name, cookie, known in (
        ("theme", theme_cookie(settings), THEMES),
        ("language", language_cookie(settings), ("system", *languages())),
    ):
        chosen = form.get(name)
        if chosen is None:
            continue
        if chosen not in known:
            raise RequestError(f"The {name} is one of {', '.join(known)}.")
        if chosen == "system":
            delete_cookie(response, settings, cookie)
        else:
            set_cookie(response, settings, cookie, str(chosen), max_age=YEAR_SECONDS)
    return response
