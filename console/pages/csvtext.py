"""Writes CSV that a spreadsheet shows and never runs: a cell that looks like a formula is told to be text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

BOM = "\ufeff"
"""Without it Excel takes the file for the system's old encoding."""

# What a spreadsheet takes for the beginning of a formula, its full-width twins, and what it skips before one.
_SKIPPED = "".join(map(chr, range(0x21))) + "\x7f\x85\xa0\u1680\u180e\u2028\u2029\u202f\u205f\u3000\ufeff"
_SKIPPED += "".join(map(chr, range(0x2000, 0x2010))) + "\u2060\u2061\u2062\u2063\u2064\u00ad"
_STARTS = "=+-@|%\uff1d\uff0b\uff0d\uff20\u2212\ufe62\ufe63\ufe66\ufe6b\uff5c\uff05"
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def safe(cell: object) -> str:
    """A cell as text; one that a spreadsheet could take for a formula begins with an apostrophe. Numbers stay."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return repr(cell)
    text = "" if cell is None else str(cell)
    if _NUMBER.fullmatch(text):
        return text
    begins = text.lstrip(_SKIPPED)[:1]
    steers = text[:1] in "\t\r\n\x00" and text[:1] != ""
    return f"'{text}" if steers or (begins and begins in _STARTS) else text


def write_rows(rows: Iterable[Sequence[object]]) -> str:
    """Rows as RFC 4180 has them, every cell in quotes."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    for row in rows:
        writer.writerow([safe(cell) for cell in row])
    return out.getvalue()
