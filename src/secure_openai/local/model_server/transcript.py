"""A conversation as a plain transcript, for a base model that knows no chat template."""

from __future__ import annotations

from secure_openai.types import JsonObject

STOP = ["\nUser:", "\nSystem:"]

_NAMES = {"user": "User", "assistant": "Assistant", "system": "System", "developer": "System"}


def transcript(messages: list[JsonObject]) -> str:
    """Return the conversation as text that ends where the assistant's answer begins."""
    lines = [
        f"{_NAMES.get(str(message.get('role')), 'User')}: {text_of(message.get('content'))}"
        for message in messages
    ]
    return "\n".join([*lines, "Assistant:"])


def text_of(content: object) -> str:
    """Return the text of a message's content; images are left out."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            str(part.get("text", "")) for part in content if isinstance(part, dict)
        ).strip()
    return ""
