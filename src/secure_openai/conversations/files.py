"""What a file is that somebody sends, by its bytes; and how it is written into a prompt."""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from dataclasses import dataclass

from secure_openai.errors import RequestError, TooLarge, UnsupportedMediaType
from secure_openai.images import kind_of, picture_of
from secure_openai.policy.estimate import MESSAGE_TOKENS, estimate_message_tokens
from secure_openai.policy.text import check_text
from secure_openai.types import JsonObject

TEXT = "text/plain"
NAME_CHARACTERS = 100

LONGEST_TYPE = 64
"""As much of a content type is told back to whoever sent it."""

LARGEST_TEXT_BYTES = 256_000
"""About 73,000 tokens of prose: more than most windows leave for a question."""

MOST_IMAGES = 10
"""Azure takes so many in a request (Azure OpenAI, "Vision-enabled chat model concepts")."""

NO_IMAGES = "this deployment reads no images"
TOO_MANY = f"a request has {MOST_IMAGES} images at most"
NOT_KEPT = "it is not kept any more"
"""Why a file cannot be sent."""

NEITHER = (
    "It is neither a PNG, JPEG or WebP image nor a text in UTF-8, and nothing else is read here."
)

_NOT_IN_NAMES = re.compile(r"[\"'`<>|*?:\\/]")
_FENCES = re.compile("`+|~+")


@dataclass(frozen=True, slots=True)
class File:
    """A file that is checked.

    Attributes:
        name: What it is called: no path, and nothing that a reader could not see.
        type: Its media type, as its bytes say.
        content: Its bytes.
        tokens: About how many it takes in a prompt.
    """

    name: str
    type: str
    content: bytes
    tokens: int


def checked_file(name: str, declared: str, content: bytes) -> File:
    """Return a file as it may be kept.

    Args:
        name: What whoever sends it calls it.
        declared: The content type that they say.
        content: Its bytes.

    Raises:
        RequestError: It is empty.
        TooLarge: It is a text that is too long.
        UnsupportedMediaType: It is nothing that is read here, or not what was declared.
    """
    declared = declared.partition(";")[0].strip().lower()[:LONGEST_TYPE]
    kind = kind_of(content)
    if not content.removeprefix(codecs.BOM_UTF8):
        raise RequestError("The file is empty.")
    if kind is not None:
        if declared == "image/jpg":
            declared = "image/jpeg"
        if declared.startswith(("image/", "text/")) and declared != f"image/{kind}":
            raise UnsupportedMediaType(f"It is said to be {declared} and is image/{kind}.")
        picture = picture_of(content)
        return _file(_image_name(name, kind), f"image/{kind}", picture.content)
    if declared.startswith("image/"):
        raise UnsupportedMediaType("It is no PNG, JPEG or WebP image, whatever its name says.")
    if len(content) > LARGEST_TEXT_BYTES:
        _text(content)
        raise TooLarge(f"A text file may have {LARGEST_TEXT_BYTES} bytes.")
    return _file(plain_name(name), TEXT, _text(content).encode())


def _text(content: bytes) -> str:
    try:
        return check_text(content.decode("utf-8-sig"), pointer="")
    except (UnicodeDecodeError, RequestError):
        raise UnsupportedMediaType(NEITHER) from None


def _file(name: str, kind: str, content: bytes) -> File:
    # Whatever stands in a prompt for it, the file or why it does not, takes no more than this.
    stands = [left_out(name, why) for why in (NO_IMAGES, TOO_MANY, NOT_KEPT)]
    tokens = [
        estimate_message_tokens({"role": "user", "content": [part]}) - MESSAGE_TOKENS
        for part in (part_of(name, kind, content), *stands)
    ]
    return File(name, kind, content, max(tokens))


def plain_name(name: str) -> str:
    """Return what a file is called: the last part of a path, of characters that can be seen."""
    last = re.split(r"[\\/]", unicodedata.normalize("NFC", name))[-1]
    # No controls, and none of those that turn the direction of what follows, or hide.
    seen = "".join(one for one in last if unicodedata.category(one)[0] not in "CZ" or one == " ")
    plain = _NOT_IN_NAMES.sub("_", seen).strip(" .")
    if len(plain) > NAME_CHARACTERS:
        stem, dot, ending = plain.rpartition(".")
        kept = f"{dot}{ending}"[:10] if stem else ""
        plain = plain[: NAME_CHARACTERS - len(kept)] + kept
    return plain or "file"


def _image_name(name: str, kind: str) -> str:
    """Return an image's name, which ends as what it is: a page's would be opened as a page."""
    plain = plain_name(name)
    endings = (".jpg", ".jpeg") if kind == "jpeg" else (f".{kind}",)
    if plain.lower().endswith(endings):
        return plain
    return f"{plain[: NAME_CHARACTERS - 5]}.{kind}"


def part_of(name: str, kind: str, content: bytes) -> JsonObject:
    """Return a file as a part of a message to a model.

    A text stands between two fences that are longer than any in it: whatever it holds, it does not
    end before its end (CommonMark, "Fenced code blocks").
    """
    if kind.startswith("image/"):
        url = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        return {"type": "image_url", "image_url": {"url": url}}
    text = content.decode()
    longest = {"`": 2, "~": 2}
    for found in _FENCES.findall(text):
        longest[found[0]] = max(longest[found[0]], len(found))
    sign = min(longest, key=lambda one: longest[one])
    fence = sign * (longest[sign] + 1)
    return {"type": "text", "text": f'The file "{name}":\n{fence}\n{text}\n{fence}'}


def left_out(name: str, why: str) -> JsonObject:
    """Return what stands in the place of a file that a model is not given."""
    return {"type": "text", "text": f'[The file "{name}" is left out: {why}.]'}
