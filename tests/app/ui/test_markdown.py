"""Model text: shown whatever it is, loading nothing, running nothing, and the same while it grows as afterwards."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ui.markdown import GrowingMarkdown, to_html

ANSWER = """Intro, over
two lines.

# Heading
- a

- b
  - c

> quote

1. one
2. two
```py
x < 1

print("*")
```

| a | b |
|---|---|
| 1 | 2 |

Setext
------

    indented

The **end** with `code` and [a link](https://docs.example/x)."""

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '<iframe src="https://evil.example"></iframe>',
    '<link rel="stylesheet" href="https://evil.example/x.css">',
    "<style>@import url(https://evil.example/x.css)</style>",
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<div style="background:url(https://evil.example/x.png)">x</div>',
    '<form action="https://evil.example"><input></form>',
    "![a](https://evil.example/x.png)",
    "![a][1]\n\n[1]: https://evil.example/x.png",
    '![a"onerror="alert(1)](https://evil.example/x.png "t")',
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](file:///etc/passwd)",
    "[x](ms-msdt:/id)",
    "[x](//evil.example)",
    "[x](/gradio_api/file=/etc/passwd)",
    "<https://evil.example/><javascript:alert(1)>",
    '[x](https://a.example/"onmouseover="alert(1))',
    "```<img src=x onerror=alert(1)>\n<script>\n```",
    "`<img src=x>`",
    "| <img src=x> |\n|---|\n| <script> |",
    "&lt;img src=x&gt; &#60;script&#62;",
    "<video poster=https://evil.example/x.png>",
    "<a href='https://evil.example' ping='https://evil.example'>x</a>",
    "<!-- <img src=x> -->",
]
ALLOWED = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "br", "strong", "em", "s"),
    *("code", "pre", "table", "thead", "tbody", "tr", "th", "td", "a", "div", "span", "button"),
}


class Tags(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    return parser.seen


def assert_harmless(html: str) -> None:
    for tag, attributes in tags(html):
        assert tag in ALLOWED, html
        for name, value in attributes.items():
            assert name in {"href", "target", "rel", "title", "class", "style", "start", "type", "data-act"}, html
            if name == "href":
                assert re.match(r"(https?|mailto):", value or ""), html
            if name == "style":
                assert re.fullmatch(r"text-align:(left|right|center)", value or ""), html


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_in_an_answer_loads_or_runs(payload: str) -> None:
    assert_harmless(to_html(payload))
    assert_harmless("".join(GrowingMarkdown().blocks(payload)))


@given(st.text(alphabet=st.sampled_from(list("<>!()[]`\"'=:/&;#*_ \n\tajsx1|-~\\")), max_size=80))
@settings(max_examples=300, deadline=None)
def test_no_text_makes_a_tag_of_its_own(text: str) -> None:
    assert_harmless(to_html(text))


def test_a_picture_becomes_its_words_and_a_note_of_the_host() -> None:
    html = to_html("See ![a *map*](https://tiles.example/x.png).")
    assert "a *map*" in html
    assert "[image not loaded: tiles.example]" in html


def test_links_open_apart_and_tell_their_host() -> None:
    [(_, link)] = [found for found in tags(to_html("[here](https://docs.example/x?a=1&b=2)")) if found[0] == "a"]
    assert link == {
        "href": "https://docs.example/x?a=1&b=2",
        "target": "_blank",
        "rel": "noopener noreferrer",
        "title": "docs.example",
    }


def test_markup_is_shown_as_text() -> None:
    assert "&lt;b&gt;bold&lt;/b&gt;" in to_html("<b>bold</b>")


def test_code_keeps_its_text_and_has_a_button() -> None:
    html = to_html('```python "><script>\nif a < b:\n    pass\n```')
    assert "if a &lt; b:\n    pass\n" in html
    assert 'data-act="copy-code"' in html
    assert "<span>python</span>" in html


def test_an_answer_looks_the_same_while_it_grows() -> None:
    growing = GrowingMarkdown()
    for length in range(len(ANSWER) + 1):
        assert "".join(growing.blocks(ANSWER[:length])) == to_html(ANSWER[:length])


lines = st.sampled_from(
    [
        "word",
        "two words",
        "- item",
        "  more",
        "1. one",
        "> quote",
        "```",
        "# head",
        "",
        "",
        "| a |",
        "|---|",
        "---",
        "    x",
        "***",
    ]
)


@given(st.lists(lines, max_size=14), st.integers(1, 7))
@settings(max_examples=300, deadline=None)
def test_growing_and_whole_agree_at_every_step(parts: list[str], step: int) -> None:
    text, growing = "\n".join(parts), GrowingMarkdown()
    for length in [*range(0, len(text), step), len(text)]:
        assert "".join(growing.blocks(text[:length])) == to_html(text[:length])


def test_only_the_last_blocks_change() -> None:
    growing = GrowingMarkdown()
    before = growing.blocks("One.\n\nTwo.\n\nThr")
    after = growing.blocks("One.\n\nTwo.\n\nThree.\n\nFour")
    assert before == ["<p>One.</p>\n", "<p>Two.</p>\n<p>Thr</p>\n"]
    assert after == ["<p>One.</p>\n", "<p>Two.</p>\n", "<p>Three.</p>\n<p>Four</p>\n"]


def test_an_answer_that_starts_over_is_drawn_anew() -> None:
    growing = GrowingMarkdown()
    growing.blocks("One.\n\nTwo.\n\nThree")
    assert growing.blocks("Other") == ["<p>Other</p>\n"]


def test_a_long_answer_is_read_again_only_at_its_end() -> None:
    growing = GrowingMarkdown()
    text = "A paragraph of some words.\n\n" * 400
    growing.blocks(text)
    assert growing.blocks(text + "x")[-1] == "<p>A paragraph of some words.</p>\n<p>x</p>\n"
    assert growing._read_to >= len(text) - len("A paragraph of some words.\n\n")
