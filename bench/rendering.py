"""How soon a model's Markdown is HTML: an ordinary answer, and whatever takes quadratic time.

The limit is `edge.markdown.rendering.SECONDS` of a processor for reading one text.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from secure_openai.edge.markdown import Growing
from secure_openai.edge.markdown.rendering import SECONDS, _rendered

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.edge.attacks import QUADRATIC

ANSWER = """## Steps

1. Open **the file**, then read `data.csv`.
2. Compute $s = \\sum_i x_i$ and see [the guide](https://learn.microsoft.com/azure).

| name | value |
|------|------:|
| a    | 1     |

```python
def total(rows: list[int]) -> int:
    return sum(rows)
```

"""

ANSWERS = {
    "an answer": ANSWER,
    "a long answer": ANSWER * 40,
    "the longest that is rendered": ANSWER * 240,
    "one list": "- **an item** and some words of it\n" * 1_400,
    "one block of code": "```python\n" + "value = call(1, 'a')\n" * 2_400,
}
PIECE = 4
"""Characters of a piece: about one token."""


def seconds(text: str) -> float:
    begun = time.thread_time()
    _rendered(text)
    return time.thread_time() - begun


def seconds_while_it_comes(text: str) -> float:
    growing = Growing()
    begun = time.thread_time()
    for at in range(0, len(text), PIECE):
        growing.add(text[at : at + PIECE])
    return time.thread_time() - begun


def main() -> None:
    seconds(ANSWER)
    print(f"{'Markdown of a model':44} {'characters':>12} {'ms':>8} {'as it comes':>12}")
    for name, text in ANSWERS.items():
        whole = min(seconds(text) for _ in range(5))
        pieces = min(seconds_while_it_comes(text) for _ in range(3))
        print(f"{name:44} {len(text):12,} {1000 * whole:8.1f} {1000 * pieces:12.1f}")
    taken = sorted(((seconds(text), name) for name, text in QUADRATIC.items()), reverse=True)
    for spent, name in taken[:8]:
        print(f"{name:44} {len(QUADRATIC[name]):12,} {1000 * spent:8.1f}")
    print(f"limit for reading: {1000 * SECONDS:.0f} ms; sanitising comes on top, in linear time")


if __name__ == "__main__":
    main()
