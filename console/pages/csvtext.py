"""Writes CSV that a spreadsheet shows and never runs: a cell that looks like a formula is told to be text."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence

BOM = "\ufeff"
"""Without it Excel takes the file for the system's old encoding."""

# A minus as typographers write it is one, too, once a spreadsheet has read the cell.
_STARTS = frozenset("=+-@|%\u2212")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def safe(cell: object) -> str:
    """A cell as text; one that a spreadsheet could take for a formula begins with an apostrophe. Numbers stay."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return repr(cell)
    text = "" if cell is None else str(cell)
    if _NUMBER.fullmatch(text):
        return text
    steers = text[:1] in ("\t", "\r", "\n", "\x00")
    return f"'{text}" if steers or _begins(text) in _STARTS else text


def _begins(text: str) -> str:
    """The first sign that a spreadsheet looks at: it skips what cannot be seen, and reads full-width signs as plain."""
    seen = (one for one in text if unicodedata.category(one)[0] not in "CZ")
    return unicodedata.normalize("NFKC", next(seen, ""))[:1]


def write_rows(rows: Iterable[Sequence[object]]) -> str:
    """Rows as RFC 4180 has them, every cell in quotes."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    for row in rows:
        writer.writerow([safe(cell) for cell in row])
    return out.getvalue()
