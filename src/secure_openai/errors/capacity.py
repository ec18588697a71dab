"""What this process cannot take on."""

from __future__ import annotations

from secure_openai.errors.tree import SecureOpenAIError


class Overloaded(SecureOpenAIError):
    """This process has as much to do as it carries."""

    status = 503
    slug = "overloaded"
    title = "The server has too much to do"


class Stopping(SecureOpenAIError):
    """This process ends what is under way, and begins nothing."""

    status = 503
    slug = "stopping"
    title = "The server is stopping"
