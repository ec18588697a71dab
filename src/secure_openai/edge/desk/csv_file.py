"""Tables as CSV files that a spreadsheet opens and does not obey.

Source: RFC 4180; OWASP, "CSV Injection": a cell that begins like a formula is made a text, and so
is what a spreadsheet takes for a cell that separates them by semicolons, as in much of Europe.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from starlette.responses import Response

_SIGNS = "=+@\uff1d\uff0b\uff0d\uff20-"
"""What a formula begins with; some spreadsheets take full-width characters, too."""

_UNSEEN = r"\s\u200b-\u200f\u2060\ufeff"
"""What spreadsheets look past."""

_TEXT = "'"
_FIRST = re.compile(rf"[\t\r\n]|[{_UNSEEN}]*[{_SIGNS}]")
_LATER = re.compile(rf"([;\t\r\n][{_UNSEEN}]*)(?=[{_SIGNS}])")


def csv_file(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Return a download."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([cell(one) for one in head])
    writer.writerows([cell(one) for one in row] for row in rows)
    return Response(
        text.getvalue().encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def cell(value: object) -> str:
    """Return a value as a cell; a text that begins like a formula is quoted."""
    if value is None:
        return ""
    text = str(value)
    if isinstance(value, (int, float)):
        return text
    begin = text[: len(text) - len(text.lstrip())]
    later = _LATER.sub(r"\1'", text.removeprefix(begin))
    return f"{_TEXT if _FIRST.match(text) else ''}{begin}{later}"
