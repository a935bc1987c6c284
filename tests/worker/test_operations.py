"""docs/operations.md says what the code says, and knows an answer to everything that can hold a rollout up."""

from __future__ import annotations

import re

import pytest

from activities import errors
from models.rollout import HoldKind, PauseCause
from worker.main import BROKEN, MISCONFIGURED, UNAVAILABLE
from worker.reference import TARGET, render

DOCUMENT = TARGET.read_text(encoding="utf-8")


def first_cells(heading: str) -> set[str]:
    """The words in the first column of the first table under a heading, or of a line that begins like it."""
    _, _, rest = DOCUMENT.partition(f"\n{heading}")
    rows = re.search(r"\n\|.*?\n\n", rest, re.DOTALL)
    assert rows is not None, heading
    cells = [line.split("|")[1] for line in rows[0].strip().splitlines()[2:]]
    return {word.strip() for cell in cells for word in cell.replace("`", "").split(",")}


def test_its_tables_are_those_of_the_code() -> None:
    assert render(DOCUMENT) == DOCUMENT, "run: python -m worker.reference"


def test_a_table_without_its_place_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="no place for the settings"):
        render(DOCUMENT.replace("<!-- settings -->", ""))


def test_every_hold_and_every_pause_has_an_answer() -> None:
    assert first_cells("A **hold** ends") == {kind.value for kind in HoldKind}
    assert first_cells("A **pause** needs") == {cause.value for cause in PauseCause}


def test_every_name_of_an_error_has_an_answer() -> None:
    named = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    assert len(named) > 10
    assert first_cells("### Activities fail") == named


def test_every_exit_code_of_a_worker_is_explained() -> None:
    assert first_cells("`python -m worker` does") == {"0", *map(str, (MISCONFIGURED, UNAVAILABLE, BROKEN))}


def test_every_link_inside_the_document_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", DOCUMENT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", DOCUMENT)) <= anchors
