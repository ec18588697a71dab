"""A person who signs in at the laptop's issuer as a browser would, over HTTP."""

from __future__ import annotations

import re

import httpx2

from secure_openai.local.identity_provider.directory import PEOPLE, Person

_HIDDEN = re.compile(r'name="handle" value="([^"]+)"')
_ACTION = re.compile(r'<form method="post" action="([^"]+)"')


def named(name: str) -> Person:
    """Return the demo person whose name begins with `name`."""
    return next(person for person in PEOPLE if person.name.startswith(name))


async def sign_in(http: httpx2.AsyncClient, url: str, name: str) -> httpx2.Response:
    """Sign in at the application under `url`; `http` keeps the cookies.

    Returns:
        The page on which the sign-in ends.
    """
    page = await http.get(f"{url}/sign-in", follow_redirects=True)
    return await choose(http, page, name)


async def choose(http: httpx2.AsyncClient, page: httpx2.Response, name: str) -> httpx2.Response:
    """Choose a person on the issuer's page, and follow where that leads."""
    origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
    action, handle = _ACTION.search(page.text), _HIDDEN.search(page.text)
    if action is None or handle is None:
        raise AssertionError(f"not the issuer's page: {page.status_code}")
    return await http.post(
        origin + action.group(1),
        data={"oid": named(name).oid, "handle": handle.group(1)},
        headers={"Origin": origin, "Accept": "text/html"},
        follow_redirects=True,
    )
