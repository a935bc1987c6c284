"""Small made-up worlds of people and what they are to learn."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tests.store.plainly import stories
from tests.store.plainly.book import Book
from tests.store.plainly.stories import Fact, _known_if, _later, _said, _versions, days, moments, perhaps

PEOPLE = ("ann", "bob", "cyd")
COURSES = ("basics", "law")


def _seldom(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """One of these, in one of seven facts: what takes an assignment out must not hide what else is read of it."""
    return st.sampled_from((None,) * (6 * len(values)) + values)


def _known_and_happened(row: Fact) -> Fact:
    """Nobody knows when what has not happened became known, and nobody waives what is not waived."""
    for name in ("completed", "waived", "withdrawn", "due_changed"):
        row = _known_if(row, f"{name}_at", f"{name}_known_at")
    row = _known_if(row, "waived_at", "waived_by")
    return _known_if(row, "due_changed_at", "previous_due_on")


_person = st.fixed_dictionaries(
    {
        "partner_id": stories.of_partner,
        "active_from": _seldom(stories.DAYS),
        "active_to": _seldom(stories.DAYS),
    }
)
_partner = st.fixed_dictionaries({"active_from": _seldom(stories.DAYS), "active_to": _seldom(stories.DAYS)}).map(
    partial(_later, "active_to", "active_from")
)
_course = st.fixed_dictionaries(
    {
        "validity_days": st.sampled_from((None, 1, 30, 45)),
        "effective_from": st.one_of(st.just(date(2020, 1, 1)), days),
    }
)
_assignment = st.fixed_dictionaries(
    {
        "partner_id": stories.of_partner,
        "person_id": st.sampled_from(PEOPLE),
        "course_id": st.sampled_from((*COURSES * 3, "unheard of")),
        "course_version": st.sampled_from((None, None, 1, 2, 3)),
        "assigned_at": st.one_of(st.just(stories.MOMENTS[0]), moments),
        "due_on": days,
        "previous_due_on": days,
        "due_changed_at": _seldom(stories.MOMENTS),
        "due_changed_known_at": perhaps(moments),
        "completed_at": st.sampled_from((None,) * 8 + stories.MOMENTS),
        "completed_known_at": _seldom(stories.MOMENTS),
        "passed": st.sampled_from((True, True, True, False)),
        "prior_credit": st.sampled_from((False, False, True)),
        "valid_until": st.one_of(st.none(), st.none(), days),
        "waived_by": st.just("legal"),
        "waived_at": _seldom(stories.MOMENTS),
        "waived_known_at": perhaps(moments),
        "withdrawn_at": _seldom(stories.MOMENTS),
        "withdrawn_known_at": perhaps(moments),
    }
).map(_known_and_happened)


@st.composite
def learners(draw: st.DrawFn) -> Book:
    """People, courses in two versions, and assignments, several of them of one person and one course."""
    book = Book()
    for name in stories.PARTNERS:
        book.tell("partner", name, draw(_versions(_said(_partner, partner_id=name), ())))
    for name in PEOPLE:
        book.tell("person", name, draw(_versions(_said(_person, person_id=name), ())))
    for name in COURSES:
        for version in (1, 2):
            course = _said(_course, course_id=name, version=version)
            book.tell("enablement_course", f"{name}-{version}", draw(_versions(course, ())))
    for number in range(draw(st.integers(8, 16))):
        book.tell("enablement_assignment", f"a{number:02}", draw(_versions(_assignment, ())))
    return book
