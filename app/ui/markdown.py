"""Model text to HTML that loads nothing and runs nothing.

Markup in the text is shown as text. Pictures become their description and a note of the host. Links keep only http,
https and mailto, open apart, and tell their host.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.ui.escaping import escape
from app.ui.present import host_of, not_loaded

LINK_SCHEMES = frozenset({"http", "https", "mailto"})


def to_html(text: str) -> str:
    """A whole answer."""
    rendered: str = _RENDERER.render(text)
    return rendered


class GrowingMarkdown:
    """An answer that grows, as a list of HTML blocks of which only the last ones change.

    A block of Markdown is closed once another one has begun behind it at the same level, so only the text from there on
    is read again. Links that are defined at the end of the answer show as text until the answer is drawn as a
    whole.
    """

    def __init__(self) -> None:
        self._closed: list[str] = []
        self._read_to = 0
        self._text = ""

    def blocks(self, text: str) -> list[str]:
        """The blocks of `text`, which begins with everything that was given before; otherwise it starts over."""
        if not text.startswith(self._text):
            self._closed, self._read_to = [], 0
        self._text = text
        tail = text[self._read_to :]
        tokens = _RENDERER.parse(tail)
        starts = [at for at, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0 and token.map]
        if len(starts) > 1 and "\n" not in tail[_begin(tail, tokens[starts[-1]]) :]:
            starts.pop()  # until its first line is whole, the next block may yet turn out to belong to the one before
        for start, end in pairwise(starts):
            self._closed.append(_render(tokens[start:end]))
        if len(starts) > 1:
            self._read_to += _begin(tail, tokens[starts[-1]])
            tokens = tokens[starts[-1] :]
        open_blocks = _render(tokens)
        return [*self._closed, open_blocks] if open_blocks else list(self._closed)


def _begin(text: str, token: Token) -> int:
    """Where the block that begins with `token` begins in `text`."""
    at = 0
    for _ in range(token.map[0] if token.map else 0):
        at = text.index("\n", at) + 1
    return at


def _render(tokens: Sequence[Token]) -> str:
    rendered: str = _RENDERER.renderer.render(list(tokens), _RENDERER.options, {})
    return rendered


def _image(tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    """The rule for a picture: its description and where it would have come from."""
    token = tokens[at]
    note = escape(not_loaded(str(token.attrGet("src") or "")))
    words = escape(token.content)
    return f'{words} <span class="not-loaded">{note}</span>'.strip()


def _link_open(tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    url = str(tokens[at].attrGet("href") or "")
    host = escape(host_of(url))
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer" title="{host}">'


def _table_open(_tokens: Sequence[Token], _at: int, _options: Any, _env: Any) -> str:
    return '<div class="wide"><table>'


def _table_close(_tokens: Sequence[Token], _at: int, _options: Any, _env: Any) -> str:
    return "</table></div>"


def _code_block(tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    """Fenced and indented code, with its language and a button that copies it."""
    token = tokens[at]
    language = escape((token.info or "").strip().split(" ", 1)[0][:30])
    label = f"<span>{language or 'code'}</span>"
    button = '<button type="button" data-act="copy-code">Copy</button>'
    code = escape(token.content)
    return f'<div class="code"><div class="code-bar">{label}{button}</div><pre><code>{code}</code></pre></div>'


def _is_safe_link(url: str) -> bool:
    try:
        return urlsplit(url).scheme.lower() in LINK_SCHEMES
    except ValueError:
        return False


def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False, "maxNesting": 30}).enable(["table", "strikethrough"])
    renderer.validateLink = _is_safe_link  # type: ignore[method-assign]  # the documented way to narrow it
    rules = renderer.renderer.rules  # type: ignore[attr-defined]  # the protocol leaves out what the class has
    rules["image"] = _image
    rules["link_open"] = _link_open
    rules["table_open"] = _table_open
    rules["table_close"] = _table_close
    rules["fence"] = rules["code_block"] = _code_block
    return renderer


_RENDERER = _renderer()
