"""What a model is given of messages: their text, and the files that were sent with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secure_openai.conversations.attachments import Attachments
from secure_openai.conversations.files import (
    MOST_IMAGES,
    NO_IMAGES,
    NOT_KEPT,
    TOO_MANY,
    left_out,
    part_of,
)
from secure_openai.errors import NotFound, RequestError
from secure_openai.policy.estimate import estimate_message_tokens
from secure_openai.types import Attachment, Author, Deployment, JsonObject, Message, PrincipalId


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """A message as it goes to a model.

    Attributes:
        role: `system`, `user` or `assistant`.
        text: What it says.
        attachments: The files that go with it.
    """

    role: str
    text: str
    attachments: tuple[Attachment, ...] = ()

    @classmethod
    def of(cls, message: Message) -> PromptMessage:
        """Return a stored message as it goes to a model."""
        role = "user" if message.author is Author.USER else "assistant"
        return cls(role, message.text, message.attachments)

    @property
    def tokens(self) -> int:
        """Return about how many tokens it takes, by the estimate that policy makes of it."""
        if not self.attachments:
            return estimate_message_tokens(self.message())
        alone = {"role": self.role, "content": [{"type": "text", "text": self.text}]}
        return estimate_message_tokens(alone) + sum(one.tokens for one in self.attachments)

    def message(self, files: Sequence[JsonObject] = ()) -> JsonObject:
        """Return it in the shape of the chat-completions API, with its files behind its text.

        Without an image all of it is one text: not every model takes parts.
        """
        parts = [{"type": "text", "text": self.text}, *files]
        if any(part["type"] != "text" for part in parts):
            return {"role": self.role, "content": parts}
        return {"role": self.role, "content": "\n\n".join(part["text"] for part in parts)}


def require_readable(attachments: Sequence[Attachment], deployment: Deployment) -> None:
    """Return if a deployment can read what is to be sent.

    Raises:
        RequestError: There is an image, and it reads none.
    """
    if not deployment.parameters.images and any(one.is_image for one in attachments):
        raise RequestError(
            f"{deployment.name} reads no images: choose another deployment, or leave them out.",
            pointer="/attachments",
        )


async def written(
    turns: Sequence[PromptMessage],
    owner: PrincipalId,
    attachments: Attachments,
    *,
    images: bool,
) -> list[JsonObject]:
    """Return messages with their files, read from where they lie.

    What cannot be sent has a sentence in its place: an image that the deployment does not read or
    that is one too many (the newest are sent), and a file that was removed.

    Args:
        turns: The oldest first.
        owner: Whose they are.
        attachments: Where the files are.
        images: Whether the deployment reads images.

    Raises:
        StoreError: A file cannot be read.
    """
    room = MOST_IMAGES if images else 0
    messages: list[JsonObject] = []
    for turn in reversed(turns):
        parts: list[JsonObject] = []
        for one in turn.attachments:
            if one.is_image and not room:
                parts.append(left_out(one.name, TOO_MANY if images else NO_IMAGES))
                continue
            try:
                content = await attachments.content(owner, one)
            except NotFound:
                parts.append(left_out(one.name, NOT_KEPT))
                continue
            room -= one.is_image
            parts.append(part_of(one.name, one.type, content))
        messages.append(turn.message(parts))
    messages.reverse()
    return messages
