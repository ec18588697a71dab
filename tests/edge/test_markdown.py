"""What a model writes cannot run, load, or disguise itself; what it means comes out."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from secure_openai.edge.markdown import LARGEST_CHARACTERS, Rendering, code, rendered, rendering
from secure_openai.edge.markdown.code import CLASSES, LANGUAGES, coloured
from secure_openai.edge.markdown.mathematics import harmless
from tests.edge.attacks import BEACONS, DOUBTS, HIDDEN, IMITATIONS, LINKS, MARKUP, QUADRATIC

ELEMENTS = {
    *("a", "blockquote", "br", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr"),
    *("li", "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead"),
    *("tr", "ul", "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt"),
    *("mroot", "mstyle", "msub", "msup", "msubsup", "munder", "mover", "munderover"),
    *("mtable", "mtr", "mtd"),
}
NAMES = {"href", "target", "rel", "data-host", "data-doubt", "start", "data-language", "tabindex"}
MATHEMATICAL = {"display", "width", "stretchy", "fence", "form", "accent", "mathvariant", "lspace"}
OURS = {"scroll", "host", "plain", "right", "center", "c", "k", "s", "m", "f", "n", "i", "d"}


class Elements(HTMLParser):
    """Gathers what a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element with its attributes."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def elements(text: str) -> list[tuple[str, dict[str, str]]]:
    """Return every element of a rendered text, after checking that each is a harmless one."""
    return elements_of(rendered(text))


def elements_of(html: str) -> list[tuple[str, dict[str, str]]]:
    """Return every element of what was rendered, after checking that each is a harmless one."""
    parser = Elements()
    parser.feed(html)
    for tag, attributes in parser.found:
        assert tag in ELEMENTS, tag
        assert set(attributes) <= NAMES | MATHEMATICAL | {"class"}, attributes
        assert set(attributes.get("class", "").split()) <= OURS, attributes
        if tag == "a" and attributes:
            assert attributes["href"].startswith(("https://", "http://"))
            assert attributes["rel"] == "noopener noreferrer nofollow"
            assert attributes["target"] == "_blank"
    return parser.found


def links(text: str) -> list[dict[str, str]]:
    """Return the attributes of every link."""
    return [attributes for tag, attributes in elements(text) if tag == "a"]


@pytest.mark.parametrize("attack", [*MARKUP, *IMITATIONS])
def test_markup_of_a_model_is_text(attack: str) -> None:
    """Only elements that Markdown makes are left, with attributes and classes of ours."""
    elements((MARKUP | IMITATIONS)[attack])


@pytest.mark.parametrize("attack", BEACONS)
def test_nothing_loads(attack: str) -> None:
    """No element that fetches, no style, and no attribute that names a source."""
    for tag, attributes in elements(BEACONS[attack]):
        assert tag not in {"img", "image", "link", "style", "video", "audio"}
        assert not {"src", "srcset", "poster", "style", "background"} & set(attributes)


@pytest.mark.parametrize("attack", LINKS)
def test_a_dead_link_is_no_link(attack: str) -> None:
    """What does not lead to another host by http or https is shown as it is written."""
    assert [one for one in links(LINKS[attack]) if one] == []


@pytest.mark.parametrize("attack", DOUBTS)
def test_a_link_that_says_otherwise_is_marked(attack: str) -> None:
    """The host that it leads to stands beside it, and why it is doubted."""
    text, doubt, host = DOUBTS[attack]
    (link,) = links(text)

    assert link["data-doubt"] == doubt
    assert link["data-host"].startswith(host)
    assert f'<span class="host"> {link["data-host"]}</span>' in rendered(text)


@pytest.mark.parametrize(
    "text",
    [
        "[Learn](https://learn.microsoft.com/azure)",
        "<https://learn.microsoft.com/azure>",
        "[microsoft.com](https://learn.microsoft.com/azure)",
        "[learn.microsoft.com/azure](https://learn.microsoft.com/azure)",
        "[version 2.0](https://learn.microsoft.com)",
    ],
)
def test_an_honest_link_is_not_doubted(text: str) -> None:
    """Its host can be read, and nobody is asked about it."""
    (link,) = links(text)

    assert "data-doubt" not in link
    assert link["data-host"] == "learn.microsoft.com"
    assert "learn.microsoft.com" in re.sub("<[^>]*>", "", rendered(text))


def test_a_port_is_shown() -> None:
    """It is part of where a link leads."""
    assert links("[x](https://a.example:8443/)")[0]["data-host"] == "a.example:8443"


@pytest.mark.parametrize("attack", HIDDEN)
def test_what_nobody_sees_is_shown(attack: str) -> None:
    """A hidden character is written out: it turns nothing round, and hides nothing."""
    html = rendered(HIDDEN[attack])

    assert re.search("[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\u0007\U000e0041]", html) is None
    assert re.search(r"\[U\+[0-9A-F]{4,5}\]", html)


def test_what_is_written_with_joiners_stays() -> None:
    """Families of emoji, Persian and right-to-left text are not touched."""
    for text in ("👩\u200d👧", "\u0645\u06cc\u200c\u062e\u0648", "שלום"):
        assert text in rendered(text)


@pytest.mark.parametrize("attack", QUADRATIC)
def test_no_text_takes_for_ever(attack: str) -> None:
    """What would take minutes comes out harmless; `bench/rendering.py` measures how soon."""
    assert elements(QUADRATIC[attack])


def test_what_takes_too_long_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the time for one text is over, it is escaped and shown whole."""
    monkeypatch.setattr(rendering, "SECONDS", -1)

    assert rendered("**late** <b>") == ('<pre class="plain" tabindex="0">**late** &lt;b&gt;</pre>')


def test_code_that_takes_too_long_loses_its_colours_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the time for one block is over, the rest of it has one colour."""
    monkeypatch.setattr(code, "SECONDS", -1)

    assert coloured("def f(): pass\n", "python") == '<span class="k">def</span> f(): pass\n'


def test_code_of_endless_lines_has_no_colours() -> None:
    """Some lexers take quadratic time for one line: it is not given to them."""
    line = "def " * (code.LONGEST_LINE // 4)

    assert "<span" in coloured(line, "python")
    assert coloured(f"pass\n{line}x", "python") == f"pass\n{line}x"


def test_what_is_drawn_after_the_time_is_drawn_plain() -> None:
    """A text that was read in time and is not drawn in time has neither colours nor formulas."""
    reader = rendering._MARKDOWN
    tokens = reader.parse("```python\ndef f(): pass\n```\n\n$x^2$", {"end": float("inf")})
    late = reader.renderer.render(tokens, reader.options, {"end": float("-inf")})

    assert '<pre tabindex="0" data-language="python"><code>def f(): pass</code></pre>' in late
    assert "<code>x^2</code>" in late


def test_the_time_of_a_page_is_that_of_all_its_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is over, texts are shown as they are; the next page has its own."""
    assert Rendering()("**bold**") == rendered("**bold**")
    monkeypatch.setattr(rendering, "PAGE_SECONDS", -1)

    assert Rendering()("**late** <b>") == '<pre class="plain" tabindex="0">**late** &lt;b&gt;</pre>'


def test_a_text_without_bounds_is_shown_plain() -> None:
    """Over the largest size nothing is read, only escaped."""
    assert rendered("<b>" * LARGEST_CHARACTERS).startswith('<pre class="plain" tabindex="0">&lt;b')


def test_structure_is_kept() -> None:
    """Lists, tables, emphasis, headings below the page's own, and tasks."""
    html = rendered("# T\n\n**b** ~~s~~\n\n- [x] one\n- [ ] two\n\n|a|b|\n|-|-:|\n|1|2|\n\n3. c")

    for part in (
        "<h3>T</h3>",
        "<strong>b</strong>",
        "<s>s</s>",
        "<li>☑ one</li>",
        "<li>☐ two</li>",
        '<div class="scroll" tabindex="0"><table>',
        '<td class="right">2</td>',
        '<ol start="3">',
    ):
        assert part in html


@pytest.mark.parametrize(
    "text", ["$a^2$", "$$\na^2\n$$", r"\(a^2\)", "\\[\na^2\n\\]", "- so $a^2$", "|x|\n|-|\n|$a^2$|"]
)
def test_mathematics_is_drawn(text: str) -> None:
    """By MathML, whichever way it is written."""
    assert "<msup><mi>a</mi><mn>2</mn></msup>" in rendered(text)


@pytest.mark.parametrize("text", ["it costs $5 and $6", "`$a$`", "US$ and A$", r"\$a\$"])
def test_money_is_no_mathematics(text: str) -> None:
    """A dollar before a figure, in code, or escaped, is a dollar."""
    assert "<math" not in rendered(text)


def test_a_formula_that_cannot_be_read_is_shown() -> None:
    """As it is written, whatever is wrong with it."""
    assert "<code>\\frac</code>" in rendered("$\\frac$")


@pytest.mark.parametrize("value", ["9999em", "100px;", "url(x)", "javascript:x", "-50em", "1e9em"])
def test_a_formula_stays_in_its_place(value: str) -> None:
    """No length in it reaches over the page."""
    assert not harmless(value)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_has_a_lexer(language: str) -> None:
    """Code comes out whole, whatever colours it."""
    text = 'if (a < 1) { return "x" } // y\n# z\n'
    html = coloured(text, language)

    assert re.sub("<[^>]*>", "", html).replace("&lt;", "<") == text
    assert set(re.findall('class="([^"]*)"', html)) <= set(CLASSES.values())


def test_code_is_coloured_and_named() -> None:
    """Its language stands on its frame; an unknown one is taken as it is."""
    html = rendered("```python\ndef f(): pass\n```\n\n```klingon\nx < y\n```")

    assert '<pre tabindex="0" data-language="python"><code><span class="k">def</span>' in html
    assert '<pre tabindex="0" data-language="klingon"><code>x &lt; y' in html
