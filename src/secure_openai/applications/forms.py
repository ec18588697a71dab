"""What a form of one's own pages brings."""

from __future__ import annotations

from starlette.requests import Request

from secure_openai.errors import RequestError


async def text_of(request: Request, name: str, *, largest: int = 20_000) -> str:
    """Return a field of a form.

    Raises:
        RequestError: It is missing, empty, a file, or longer than `largest` characters.
    """
    async with request.form(max_files=0) as form:
        value = form.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"Fill in {name}.")
    if len(value) > largest:
        raise RequestError(f"{name} has more than {largest} characters.")
    return value
