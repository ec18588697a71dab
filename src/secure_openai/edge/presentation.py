"""How a page is made: its template, the reader's language and theme, and our own files.

Every template knows `t` (what is said: `t("chat.send")`), `language`, `languages`, `theme`,
`asset(name)`, `scripts(entry)`, `principal` (or `None`), `here` (the address), `contact`, and what
the organisation made its own: `look`, `product`, `logo` and `colours` (addresses, or `None`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from secure_openai.characters import visible
from secure_openai.edge import assets
from secure_openai.edge.appearance import logo_address, style_address
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.cookies import theme_cookie
from secure_openai.edge.event_stream import EventStreamResponse
from secure_openai.edge.language import DEFAULT, Language, language_of, languages

THEMES = ("system", "light", "dark")
UNKNOWN_PROBLEM = "problem.internal"
"""What is said where nothing else is known."""

VARYING = {"Vary": "Cookie, Accept-Language"}

_OURS = Path(str(files("secure_openai.edge") / "templates"))


def templates_in(*folders: Path) -> Environment:
    """Return the templates of folders, before ours, which they may extend."""
    found = Environment(
        loader=FileSystemLoader([*folders, _OURS]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["without"] = lambda given, name: {
        key: value for key, value in given.items() if key != name
    }
    found.filters["visible"] = visible
    return found


_TEMPLATES = templates_in()


def prepare() -> None:
    """Make ready what the first page would otherwise wait for: templates, languages, addresses."""
    for name in _TEMPLATES.list_templates():
        _TEMPLATES.get_template(name)
    languages()
    assets.digest()


def page(
    request: Request,
    name: str,
    /,
    *,
    status_code: int = 200,
    templates: Environment = _TEMPLATES,
    **values: object,
) -> Response:
    """Return a template as a page in the reader's language and theme."""
    text = templates.get_template(name).render({**_known(request), **values})
    return HTMLResponse(text, status_code=status_code, headers=VARYING)


def led(request: Request, place: str) -> Response:
    """Lead to `place` once a form has done its act; a script that sent it is told where to go."""
    accepted = request.headers.get("accept", "")
    if "application/json" in accepted and "text/html" not in accepted:
        return JSONResponse({"location": place}, headers={"Cache-Control": "no-store"})
    return RedirectResponse(place, status_code=303)


class PageStream(EventStreamResponse):
    """A page that is sent as it is rendered, and ends its source the moment the reader goes."""

    media_type = "text/html"


def streamed_page(
    request: Request,
    name: str,
    /,
    *,
    templates: Environment,
    on_end: Callable[[], Awaitable[None]],
    **values: object,
) -> Response:
    """Return a template as a page that is sent as it is rendered.

    A value that comes piece by piece is an asynchronous iterator: the template waits for each.

    Args:
        request: Who reads it.
        name: Of the template.
        templates: Where it lies; an environment with `enable_async`.
        on_end: Awaited once, however the response ends.
        values: What the template knows besides.
    """
    pieces = templates.get_template(name).generate_async({**_known(request), **values})

    async def encoded() -> AsyncGenerator[bytes, None]:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece.encode()

    headers = [(name.lower().encode(), value.encode()) for name, value in VARYING.items()]
    return PageStream(encoded(), on_end=on_end, heartbeat_seconds=None, headers=headers)


def _known(request: Request) -> dict[str, object]:
    language = language_of(request)
    assembly = assembly_of(request)
    look = assembly.appearance
    return {
        "t": language,
        "language": language,
        "languages": languages(),
        "theme": theme_of(request),
        "asset": assets.address,
        "scripts": lambda entry: scripts(entry, language),
        "principal": getattr(request.state, "principal", None),
        "here": _here(request),
        "contact": assembly.settings.contact,
        "look": look,
        "product": look.name or request.app.state.product or language("common.name"),
        "logo": logo_address(look),
        "colours": style_address(look),
    }


def theme_of(request: Request) -> str:
    """Return the theme that the person chose; the system's, unless one was."""
    chosen = request.cookies.get(theme_cookie(assembly_of(request).settings), "")
    return chosen if chosen in THEMES else THEMES[0]


def scripts(entry: str, language: Language) -> Markup:
    """Return what loads a module and what all of it says.

    What it imports is not announced (`modulepreload`): the browser would ask for all of it beside
    the styles, without which nothing is painted. The page is there before it can act.
    """
    texts = assets.named(entry, language.texts)
    if language.tag == DEFAULT:
        # The server's own sentences are in this language, and say more (`static/calls.mjs`).
        texts = {
            key: text
            for key, text in texts.items()
            if key == UNKNOWN_PROBLEM or not key.startswith("problem.")
        }
    said = Markup('<script type="application/json" class="texts">{}</script>').format(
        Markup(assets.as_json(texts))  # noqa: S704 - escaped for this place
    )
    # Behind the styles.
    module = Markup('<script type="module" src="{}" fetchpriority="low"></script>').format(
        assets.address(entry)
    )
    return Markup("\n").join([said, module])


def _here(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query
