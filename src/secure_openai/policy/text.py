"""Which characters text may hold.

NUL and the C0 controls other than tab, line feed and carriage return have no meaning in a prompt
and are used to hide one; lone surrogates cannot be written as UTF-8.
"""

from __future__ import annotations

import re

from secure_openai.errors import RequestError

_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_CONTROLS = bytes(code for code in range(0x20) if chr(code) not in "\t\n\r")
_EACH_CONTROL = tuple(bytes((code,)) for code in _CONTROLS)
_LONG = 16_384
"""From here on looking for each of them, many bytes at a time, is sooner done than for all."""


def check_text(text: str, *, pointer: str) -> str:
    """Return `text` as it is.

    Args:
        text: What was sent.
        pointer: Where, as a JSON pointer (RFC 6901).

    Raises:
        RequestError: It holds a character that is not accepted; the message names its code point.
    """
    found = None if _plain(text) else _REFUSED.search(text)
    if found is not None:
        code = f"U+{ord(found.group()):04X}"
        raise RequestError(
            f"The character {code} at position {found.start()} is not accepted: remove it.",
            pointer=pointer,
        )
    return text


def _plain(text: str) -> bool:
    """Return whether nothing is refused: several times as fast as looking for what is."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return False
    return not holds_refused(encoded)


def holds_refused(encoded: bytes) -> bool:
    """Return whether a control that is refused is in a text, encoded as UTF-8."""
    if len(encoded) > _LONG:
        return any(map(encoded.__contains__, _EACH_CONTROL))
    return len(encoded.translate(None, _CONTROLS)) < len(encoded)
