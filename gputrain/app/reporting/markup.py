"""Pieces of HTML. All text that comes in is escaped here; what comes out is markup."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gputrain.app.reporting.wording import clean, number


def text(value: object) -> str:
    """Return `value` as text of a page or of an attribute in double quotes."""
    return html.escape(clean(value), quote=True)


def section(identity: str, heading: str, *parts: str, kind: str = "") -> str:
    """Return a part of the page that links can lead to; `kind` is a class of the style sheet."""
    body = "\n".join(part for part in parts if part)
    return f'<section id="{identity}"{_class(kind)}><h2>{text(heading)}</h2>\n{body}\n</section>'


def folded(heading: str, body: str) -> str:
    """Return something that is opened by a click."""
    return f"<details><summary>{text(heading)}</summary>\n{body}\n</details>"


def paragraph(words: str) -> str:
    """Return a line of small print; nothing for no words."""
    return f'<p class="note">{text(words)}</p>' if words else ""


def preformatted(value: str) -> str:
    """Return text in lines of equal characters, which scrolls when it is wide."""
    return f'<pre tabindex="0">{text(value)}</pre>'


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Any]], kind: str = "") -> str:
    """Return a table that scrolls by itself. The first cell of each row is its heading.

    Args:
        caption: what it holds, for those who hear the page.
        header: names of the columns.
        rows: cells; numbers are written by `wording.number` and stand at the right.
        kind: a class of the style sheet.
    """
    rows = [list(row) for row in rows]
    numbers = [place > 0 and all(_is_number(row[place]) for row in rows) for place in range(len(header))]
    heads = zip(numbers, header, strict=True)
    head = "".join(f'<th scope="col"{_class("n" if n else "")}>{text(name)}</th>' for n, name in heads)
    body = "\n".join(map(_row, rows))
    return scrolling(
        caption,
        f"<table{_class(kind)}><caption>{text(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>",
    )


def scrolling(label: str, body: str) -> str:
    """Return something wide or long in a window that mouse, finger and keyboard can move."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{text(label)}">{body}</div>'


def picture(png: bytes, alt: str, caption: str = "", kind: str = "") -> str:
    """Return a picture that the page itself holds; `caption` is markup."""
    data = base64.b64encode(png).decode("ascii")
    words = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure{_class(kind)}><img src="data:image/png;base64,{data}" alt="{text(alt)}">{words}</figure>'


def _row(cells: Sequence[Any]) -> str:
    first, *others = cells
    return f'<tr><th scope="row">{text(number(first))}</th>{"".join(map(_cell, others))}</tr>'


def _cell(value: Any) -> str:
    return f"<td{_class('n' if _is_number(value) else '')}>{text(number(value))}</td>"


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float | np.number)


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
