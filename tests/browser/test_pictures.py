"""Photos are made as small as may be sent, in the browser that sends them."""

from __future__ import annotations

import io
import random
import re

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.person import answered

pytestmark = pytest.mark.browser


def photo(width: int, height: int) -> bytes:
    """Return a photo as a camera writes it: on its side, of many bytes, saying where it was."""
    noise = Image.frombytes("RGB", (width, height), random.Random(5).randbytes(width * height * 3))
    # What is seen has its top at the left of what is stored (Exif 2.3, 4.6.4, orientation 6).
    noise.paste((255, 0, 0), (0, 0, width // 4, height))
    told = Image.Exif()
    told[0x0112] = 6
    told[0x010F] = "a camera"
    told.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    kept = io.BytesIO()
    noise.save(kept, "JPEG", quality=95, exif=told)
    return kept.getvalue()


def test_a_large_photo_is_made_smaller(chat: Page) -> None:
    """Upright, small enough, and telling nothing; the page says what was done."""
    taken = photo(2400, 1800)
    assert len(taken) > 2_000_000
    chat.locator("#file").set_input_files(
        FilePayload(name="holiday.jpg", mimeType="image/jpeg", buffer=taken)
    )
    expect(chat.locator(".chip:not([aria-busy])")).to_contain_text("holiday.jpg")
    expect(chat.locator(".chip .fine")).to_have_text(re.compile(r"\d+ . \d+, .* MB instead of "))
    expect(chat.locator("#announcer")).to_contain_text("holiday.jpg was made smaller")
    expect(chat.locator(".chip img")).to_be_visible()
    answered(chat, "where was this?")
    address = chat.locator(".message.user .attached a").get_attribute("href")
    sent = chat.request.get(f"{chat.url.split('/conversations')[0]}{address}").body()

    assert len(sent) <= 2_000_000
    seen = Image.open(io.BytesIO(sent))
    assert (seen.format, dict(seen.getexif())) == ("JPEG", {})
    assert seen.height > seen.width
    top = seen.convert("RGB").crop((0, 0, seen.width, seen.height // 8))
    red, green, _ = ImageStat.Stat(top).mean
    assert (red > 200, green < 50) == (True, True)


def test_a_picture_of_another_kind_is_made_one_that_is_read(chat: Page) -> None:
    """A bitmap is sent as a JPEG, also where it is small."""
    kept = io.BytesIO()
    Image.new("RGB", (40, 20), (0, 90, 200)).save(kept, "BMP")
    drawn = FilePayload(name="old.bmp", mimeType="image/bmp", buffer=kept.getvalue())
    chat.locator("#file").set_input_files(drawn)

    expect(chat.locator(".chip:not([aria-busy]) .name")).to_have_text("old.jpg")
    expect(chat.locator(".chip .fine")).to_have_text(re.compile("40 . 20, "))


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("broken.jpg", "image/jpeg", "this browser cannot make this picture smaller"),
        ("long.txt", "text/plain", "a file may have 2 MB"),
    ],
)
def test_what_cannot_be_made_smaller_is_refused(
    chat: Page, name: str, kind: str, said: str
) -> None:
    """At once and by name, before anything is sent."""
    asked: list[str] = []
    chat.on("request", lambda request: asked.append(request.method))
    large = FilePayload(name=name, mimeType=kind, buffer=b"x" * 2_000_001)
    chat.locator("#file").set_input_files(large)

    expect(chat.locator(".chip.failed")).to_contain_text(f"{name}: ")
    expect(chat.locator(".chip.failed")).to_contain_text(said)
    assert "POST" not in asked
