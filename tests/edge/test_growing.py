"""An answer is rendered while it comes: as the whole is, as harmless, at a bounded cost."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from secure_openai.edge.markdown import Growing, Growth, growing, rendered, rendering
from tests.edge.attacks import BEACONS, DOUBTS, HIDDEN, IMITATIONS, LINKS, MARKUP, QUADRATIC
from tests.edge.test_markdown import elements_of

ANSWER = """# Steps

First **read** `data.csv`, then [the guide](https://learn.microsoft.com/azure):

1. Open *the file*.

   It says `what` it is:
   ```py
   x = 1

   y = 2
   ```
2. Compute $s = \\sum_i x_i$.

| name | value |
|------|------:|
| a    | 1     |

```python
def total(rows: list[int]) -> int:

# no heading
    return sum(rows)
```
\\[
a^2

b^2
\\]

> quoted
> ```
> code

Done
===

- [x] one
- [ ] two
- [ ] three, and some words
"""

BLOCKS = (
    "A paragraph of **some** words.\nIn two lines.\n\n",
    "A heading\n---\n\n",
    "## Another `one`\n",
    "- a\n- b\n\n  c\n\n- d\n\n",
    "1. a\n2. b\n   - c\n\n     d\n",
    "7) a\n\n8) b\n\n",
    "> a\n> b\nlazy\n\n",
    "> - a\n>   - b\n\n> c\n\n",
    "```js\nlet a = 1;\n\n\n# b\n```\n",
    "~~~~\n```\n~~~\n~~~~\n",
    "  ```\n  a\n\n b\n  ```\n",
    "    code\n\n    more\n\n",
    "|a|b|\n|-|-|\n|1|2|\n\n",
    "$$\na\n$$\n",
    "$$\na\n\nno formula\n\n",
    "\\[\na\n\nb\n\\]\n(1) c\n\n",
    "***\n",
    "* * *\n\n",
    "   indented\n\n",
    "a\\\nb  \nc\n\n",
    "- a\n```\nb\n\nc\n```\n",
    "- a\n# b\n\n",
    "\n\n\n",
    "(a) b\n\n",
    "-\n\n",
    "*not* an item\n\n",
)


def grown(pieces: Iterator[str], of: Growing | None = None) -> Iterator[tuple[str, Growth]]:
    """Yield the HTML of all blocks that have ended, and the growth, whenever something changed."""
    shown, of = "", of or Growing()
    for piece in pieces:
        growth = of.add(piece)
        if growth is not None:
            shown += growth.html
            yield shown, growth


def pieces_of(text: str, chance: random.Random, longest: int = 12) -> Iterator[str]:
    """Yield a text in pieces."""
    at = 0
    while at < len(text):
        step = chance.randint(1, longest)
        yield text[at : at + step]
        at += step


def documents() -> Iterator[str]:
    """Yield texts made of blocks in any order."""
    chance = random.Random(7)
    yield ANSWER
    for _ in range(300):
        yield "".join(chance.choices(BLOCKS, k=chance.randint(2, 9)))


def test_what_has_ended_stays_as_it_is() -> None:
    """What was added for good is how the whole begins, however it is cut."""
    chance = random.Random(11)
    settled = 0
    for text in documents():
        whole = rendered(text)
        for shown, _ in grown(pieces_of(text, chance)):
            assert whole[: len(shown)] == shown, text
            settled += len(shown) > 0

    assert settled > 1_000


def test_most_of_an_answer_is_rendered_before_its_end() -> None:
    """Blocks as they end, the one under way as far as it goes, and only some words raw."""
    *_, (shown, last) = grown(iter(ANSWER))

    for part in ("<h3>Steps</h3>", "<strong>read</strong>", "</table>", 'data-language="python"'):
        assert part in shown
    assert "☑ one" in last.draft
    longest = max(len(growth.tail) for _, growth in grown(iter(ANSWER)))
    assert longest < 50


def test_a_block_under_way_is_drawn_as_it_will_be() -> None:
    """Half of some code is code, half of a list is a list, and a dash makes no heading."""

    def draft(text: str) -> str:
        return [growth.draft for _, growth in grown(iter(text))][-1]

    code = "```python\n" + "value = 1\n" * 9
    assert draft(code).startswith('<pre tabindex="0" data-language="python"><code>value')
    assert draft("- **one** and more\n" * 9).startswith("<ul>\n<li><strong>one</strong>")
    assert all("<h" not in growth.draft for _, growth in grown(iter("What there is:\n- one\n" * 9)))


@pytest.mark.parametrize(
    "attack",
    [*MARKUP, *BEACONS, *LINKS, *(name for name in DOUBTS), *HIDDEN, *IMITATIONS],
)
def test_no_attack_gets_through_half_open(attack: str) -> None:
    """Cut anywhere, before and after it has ended: the same few elements, and nothing hidden."""
    texts = MARKUP | BEACONS | LINKS | HIDDEN | IMITATIONS
    text = texts[attack] if attack in texts else DOUBTS[attack][0]
    for end in range(1, min(len(text), 400) + 1):
        for prefix in (text[:end], f"{text[:end]} words that come after it " * 2):
            made = "".join(f"{shown}{one.draft}" for shown, one in _parts(prefix))
            for tag, attributes in elements_of(made):
                assert tag != "a" or not attributes or attributes["target"] == "_blank"
            assert re.search("[\u200b\u202e\u2066\U000e0041]", made) is None


def _parts(text: str) -> Iterator[tuple[str, Growth]]:
    """Yield what is shown where the text came in two pieces, the second of which ends a block."""
    for _, growth in grown(iter((text, "\n\nend\n"))):
        assert re.search("[\u200b\u202e\u2066\U000e0041]", growth.tail) is None
        yield growth.html, growth


@pytest.mark.parametrize("attack", QUADRATIC)
def test_no_text_takes_for_ever_while_it_comes(
    attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All readings together come to a few times the text, and end when their time is over."""
    read: list[int] = []
    reading = rendering.read

    def counted(text: str, environment: rendering.Environment, *, seconds: float) -> str:
        read.append(len(text))
        return reading(text, environment, seconds=seconds)

    monkeypatch.setattr(growing, "read", counted)
    text = QUADRATIC[attack][:70_000]
    of = Growing()
    for at in range(0, len(text), 7):
        of.add(text[at : at + 7])

    assert sum(read) <= 12 * len(text) + 1_000


def test_a_text_in_one_piece_is_read_once() -> None:
    """Who opens a page in the middle of an answer is shown what a whole text is."""
    growth = Growing().add(ANSWER)

    assert growth is not None
    assert re.sub(r"\s+", " ", growth.html + growth.draft).strip() in re.sub(
        r"\s+", " ", rendered(ANSWER)
    )


def test_who_comes_back_is_told_what_follows() -> None:
    """Behind what they have seen, over another connection: nothing twice, and nothing left out."""
    whole = rendered(ANSWER)
    for cut in range(0, len(ANSWER), 9):
        before = "".join(one.html for _, one in grown(iter(ANSWER[:cut])))
        again = Growing()
        again.skip(ANSWER[:cut])
        after = "".join(one.html for _, one in grown(iter(ANSWER[cut:]), again))

        assert whole.startswith(before + after)
        assert len(before + after) > len(whole) * 0.8


def test_lines_end_as_they_like() -> None:
    """A carriage return ends a line, also where its line feed comes with the next piece."""
    text = ANSWER.replace("\n", "\r\n")
    expected = "".join(one.html for _, one in grown(iter(ANSWER)))

    assert expected == "".join(one.html for _, one in grown(iter(text)))


def test_links_that_are_defined_above_are_known_below() -> None:
    """A definition is kept for the blocks that follow it."""
    text = "[a]: https://a.example\n\nSee [a].\n\nAnd so on.\n\nEnd"
    *_, (shown, _) = grown(iter(text))

    assert 'href="https://a.example"' in shown


def test_when_the_time_is_over_the_rest_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is escaped, it stays in its order, and no more is read."""
    monkeypatch.setattr(growing, "ALTOGETHER", -1)
    text = "**late** <b>\n\n```\nx\n```\n\nend of it"
    (shown, last), *_ = reversed([*grown(iter(text))])

    assert shown == (
        '<pre class="plain" tabindex="0">**late** &lt;b&gt;</pre>'
        '<pre class="plain" tabindex="0">```\nx\n```</pre>'
    )
    assert last.draft == ""
