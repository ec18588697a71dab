"""Our cookies: opaque, HttpOnly, SameSite=Lax; `__Host-` and Secure on https (RFC 6265bis, 4.1.3).

The names differ from the laptop's issuer's, since cookies of `localhost` ignore ports.
"""

from __future__ import annotations

from starlette.responses import Response

from secure_openai.settings import Settings


def _name(settings: Settings, name: str) -> str:
    return f"__Host-{name}" if settings.secure_cookies else name


def session_cookie(settings: Settings) -> str:
    """Return the name of the cookie that holds a session."""
    return _name(settings, "secure_openai_session")


def sign_in_cookie(settings: Settings) -> str:
    """Return the name of the cookie that binds pending sign-ins to their browser."""
    return _name(settings, "secure_openai_sign_in")


def theme_cookie(settings: Settings) -> str:
    """Return the name of the cookie that holds the theme a person chose."""
    return _name(settings, "secure_openai_theme")


def language_cookie(settings: Settings) -> str:
    """Return the name of the cookie that holds the language a person chose."""
    return _name(settings, "secure_openai_language")


def set_cookie(
    response: Response, settings: Settings, name: str, value: str, *, max_age: int | None = None
) -> None:
    """Set one of our cookies."""
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def delete_cookie(response: Response, settings: Settings, name: str) -> None:
    """Take one of our cookies back."""
    response.delete_cookie(
        name, path="/", secure=settings.secure_cookies, httponly=True, samesite="lax"
    )
