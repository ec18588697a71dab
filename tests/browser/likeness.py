"""What pages look like, compared with kept pictures: small ones, in which letters are blurred away.

To keep new pictures, after looking at the pages: `--renew-pictures`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter
from playwright.sync_api import Page

PICTURES = Path(__file__).parent / "pictures"
SMALLER = 5
"""How much smaller a kept picture is: made of areas, and not of letters."""
DIFFERENT = 8
"""Of 255: what one point may differ by, once letters are blurred away."""
SHARE = 0.004
"""How much of a page may differ: more than what differs with every run, and less than whatever the
`CHANGES` of `test_looks.py` and `test_desk_looks.py` do."""


@dataclass
class Likeness:
    """Compares pages with kept pictures.

    Attributes:
        renew: Whether the pictures are kept anew instead.
        different: The pictures that a page was not like, each with the share that differs.
    """

    renew: bool
    different: dict[str, float] = field(default_factory=dict)

    def look(self, page: Page, name: str) -> None:
        """Compare a page with a picture, or keep it."""
        now = taken(page)
        if self.renew:
            now.quantize(256).save(PICTURES / f"{name}.png", optimize=True)
        elif (share := difference(now, kept(name))) > SHARE:
            self.different[name] = share


def taken(page: Page) -> Image.Image:
    """Return what a page looks like, as small as kept pictures are."""
    picture = page.screenshot(caret="hide", animations="disabled")
    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    size = (whole.width // SMALLER, whole.height // SMALLER)
    return whole.resize(size, Image.Resampling.BOX)


def kept(name: str) -> Image.Image:
    """Return a kept picture."""
    return Image.open(PICTURES / f"{name}.png").convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the share of points that differ, after blurring both."""
    assert one.size == other.size
    soft = [picture.filter(ImageFilter.GaussianBlur(2)) for picture in (one, other)]
    points = ImageChops.difference(*soft).convert("L").point(lambda value: int(value > DIFFERENT))
    return sum(points.tobytes()) / (points.width * points.height)
