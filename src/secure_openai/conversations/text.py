"""What an event of a chat completion says."""

from __future__ import annotations

from secure_openai.errors import ModelError
from secure_openai.model.interface import ServerSentEvent


def text_of(event: ServerSentEvent) -> str:
    """Return the text that an event adds to the first choice.

    Raises:
        ModelError: The event is not JSON.
    """
    try:
        choices = event.parsed.get("choices")
    except ValueError:
        raise ModelError("The model sent an answer that cannot be read.") from None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return ""
    delta = choices[0].get("delta")
    content = delta.get("content") if isinstance(delta, dict) else None
    if not isinstance(content, str):
        return ""
    # Half of a surrogate pair is no character: it could neither be kept nor sent on.
    return content.encode("utf-8", "replace").decode("utf-8")
