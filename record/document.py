"""A document as blocks, and the two ways to write it: Markdown, and HTML that needs no other file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple, TypeAlias

from drawing.svg import plain


class Heading(NamedTuple):
    level: int
    text: str


class Para(NamedTuple):
    text: str


class Items(NamedTuple):
    texts: Sequence[str]


class Table(NamedTuple):
    """`caption` says what it shows; every row has as many cells as there are heads."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


class Figure(NamedTuple):
    """A drawing: its SVG, what it shows in words, and the file that Markdown finds it in."""

    svg: str
    told: str
    file: str


Block: TypeAlias = Heading | Para | Items | Table | Figure


class Document(NamedTuple):
    language: str
    title: str
    blocks: Sequence[Block]


_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~!$])")
_LEADING = re.compile(r"^(\s*)([-+=]|\d+[.)])(?=\s|$|[-=])")


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is: nothing that a plan or a person wrote becomes markup."""
    escaped = _SPECIAL.sub(r"\\\1", " ".join(plain(text).split()))
    return _LEADING.sub(lambda found: f"{found[1]}{found[2][:-1]}\\{found[2][-1]}", escaped)


def markdown(document: Document) -> str:
    """The document as Markdown."""
    parts = [f"# {markdown_text(document.title)}", *(_markdown(one) for one in document.blocks)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {markdown_text(block.text)}"
        case Para():
            return "\n\n".join(markdown_text(one) for one in block.text.split("\n\n") if one.strip())
        case Items():
            return "\n".join(f"- {markdown_text(one)}" for one in block.texts)
        case Figure():
            return f"![{markdown_text(block.told)}]({block.file})"
        case Table():
            lines = [_row(block.heads), _row(["---"] * len(block.heads), raw=True), *map(_row, block.rows)]
            return "\n".join((f"{markdown_text(block.caption)}\n", *lines))


def _row(cells: Iterable[str], *, raw: bool = False) -> str:
    return "| " + " | ".join(one if raw else markdown_text(one) or " " for one in cells) + " |"


STYLE = """\
@page { size: A4; margin: 18mm 16mm; }
:root { color-scheme: light; }
body { font: 11pt/1.5 system-ui, "Noto Sans", "Noto Sans JP", "Hiragino Sans", sans-serif; color: #1a1a1a;
  background: #fff; max-width: 178mm; margin: 0 auto; padding: 8mm; overflow-wrap: anywhere; }
h1 { font-size: 20pt; line-height: 1.25; margin: 0 0 4mm; }
h2 { font-size: 14pt; margin: 9mm 0 2mm; border-bottom: 0.4mm solid #1a1a1a; }
h3 { font-size: 11.5pt; margin: 6mm 0 1mm; }
h1, h2, h3, caption { break-after: avoid; }
p, li { margin: 1mm 0; orphans: 3; widows: 3; }
table { border-collapse: collapse; width: 100%; margin: 3mm 0; font-size: 9pt; }
caption { text-align: left; font-weight: 600; padding: 1mm 0; }
th, td { border: 0.2mm solid #767676; padding: 1mm 1.5mm; text-align: left; vertical-align: top; min-width: 8ch; }
th { background: #eee; }
thead { display: table-header-group; }
tr, figure { break-inside: avoid; }
figure { margin: 3mm 0; }
figure svg { width: 100%; height: auto; max-height: 75mm; }
figcaption { font-size: 9pt; }
@media screen and (max-width: 40rem) { th, td { min-width: 0; } }
@media print { body { padding: 0; max-width: none; } th { print-color-adjust: exact; } }
"""


def html(document: Document) -> str:
    """The document as one page of HTML: no script, nothing from elsewhere."""
    body = "\n".join(_html(one) for one in document.blocks)
    return (
        f'<!doctype html>\n<html lang="{_h(document.language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{_h(document.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{_h(document.title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _h(text: str) -> str:
    return escape(" ".join(plain(text).split()))


def _html(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{_h(block.text)}</h{block.level}>"
        case Para():
            return "\n".join(f"<p>{_h(one)}</p>" for one in block.text.split("\n\n") if one.strip())
        case Items():
            return "<ul>\n" + "\n".join(f"<li>{_h(one)}</li>" for one in block.texts) + "\n</ul>"
        case Figure():
            return f"<figure>\n{block.svg}<figcaption>{_h(block.told)}</figcaption>\n</figure>"
        case Table():
            heads = "".join(f'<th scope="col">{_h(one)}</th>' for one in block.heads)
            rows = "\n".join(f"<tr>{''.join(f'<td>{_h(one)}</td>' for one in row)}</tr>" for row in block.rows)
            return (
                f"<table>\n<caption>{_h(block.caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n"
                f"<tbody>\n{rows}\n</tbody>\n</table>"
            )
