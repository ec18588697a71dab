"""What a model writes cannot run, load or disguise itself."""

import pytest

from secure_openai.edge.markdown import rendered


@pytest.mark.parametrize(
    ("attack", "never"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("![beacon](https://evil.example/p.gif)", "<img"),
        ("[x](javascript:alert(1))", 'javascript:alert(1)"'),
        ("[x](data:text/html;base64,PHN)", 'href="data:'),
        ("[x](vbscript:x)", 'href="vbscript'),
        ("<a href='https://x' onclick=alert(1)>x</a>", "<a "),
        ("<style>*{display:none}</style>", "<style"),
        ("<iframe src=https://evil.example></iframe>", "<iframe"),
        ("<svg onload=alert(1)>", "<svg"),
        ("`<script>`", "<script"),
        ("```html\n<script>alert(1)</script>\n```", "<script"),
    ],
)
def test_attacks_come_out_harmless(attack: str, never: str) -> None:
    """No element, handler or address of the attack is left as HTML."""
    assert never not in rendered(attack)


def test_links_say_nothing_about_the_reader() -> None:
    """A link keeps its address and carries no referrer."""
    html = rendered("[Learn](https://learn.microsoft.com/azure)")

    assert 'href="https://learn.microsoft.com/azure"' in html
    assert 'rel="noopener noreferrer nofollow"' in html


def test_structure_is_kept() -> None:
    """Lists, code, tables and emphasis come out as such."""
    html = rendered("**b**\n\n- one\n- two\n\n```py\nx < 1\n```\n\n|a|b|\n|-|-|\n|1|2|")

    for part in ("<strong>b</strong>", "<li>one</li>", "x &lt; 1", "<td>1</td>"):
        assert part in html
