"""CSV that a spreadsheet shows and never runs, whatever stands in a partner's name."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.pages.csvtext import safe, write_rows

ATTACKS = (
    "=1+1",
    '=HYPERLINK("http://x","y")',
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\u3000=1+1",
    "\ufeff=1+1",
    "\u200b=1+1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1+1",
    "\uff20SUM(1)",
    "|calc",
    "%0A=1",
    "\u22121+cmd",
)


@pytest.mark.parametrize("cell", ATTACKS)
def test_what_could_be_taken_for_a_formula_is_told_to_be_text(cell: str) -> None:
    assert safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Partner", "12", "-12.5", "+3", "'quoted", "a=b", "2026-01-05"])
def test_what_cannot_stays_as_it_is(cell: str) -> None:
    assert safe(cell) == cell


@pytest.mark.parametrize(("cell", "told"), [(-12.5, "-12.5"), (3, "3"), (None, ""), (True, "True")])
def test_numbers_stay_numbers(cell: object, told: str) -> None:
    assert safe(cell) == told


@given(st.lists(st.lists(st.text(max_size=40), min_size=1, max_size=5), min_size=1, max_size=5))
@example([["\uff1dcmd|' /C calc'!A0", "\x00=1", "=\n1"]])
def test_whatever_is_written_is_read_back_and_no_cell_begins_a_formula(rows: list[list[str]]) -> None:
    rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    text = write_rows(rows)
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert [[cell.removeprefix("'") for cell in row] for row in read] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]
    for cell in (cell for row in read for cell in row):
        # As a spreadsheet reads it: full-width signs are plain ones, and what cannot be seen is not there.
        folded = unicodedata.normalize("NFKC", cell)
        begins = "".join(one for one in folded if unicodedata.category(one)[0] not in "CZ")[:1]
        number = cell.lstrip("+-").replace(".", "", 1)
        assert begins not in tuple("=+-@|%") or (number.isascii() and number.isdigit()), repr(cell)
