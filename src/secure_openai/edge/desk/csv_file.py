"""Tables as CSV files that a spreadsheet opens and does not obey.

Source: RFC 4180; OWASP, "CSV Injection": a cell that begins like a formula is made a text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with; some spreadsheets take full-width characters, too."""


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
    # Spreadsheets look past spaces.
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
