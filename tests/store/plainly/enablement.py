"""Enablement completion: of what people were to learn by now or have learnt early, how much they have learnt and still
know by certificate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from models.evidence import Window
from tests.store.plainly.book import HUNDRED, Book, Parts, Row, happened, midnight

COUNTED = frozenset({"completed", "overdue", "expired", "failed"})
"""What is in the denominator; all other states are out of it."""


class Standing(NamedTuple):
    """An assignment as it stands at a moment."""

    state: str
    due: bool
    on_time: bool


def the_day_after(day: date) -> datetime:
    """A last day counts whole."""
    return midnight(day + timedelta(days=1))


def due_by(row: Row, as_of: datetime) -> datetime:
    """When the due day that is in force is over. A move of it holds from when it was made and somebody knows."""
    moved = row["due_changed_at"] is not None and not happened(
        row["due_changed_at"], row["due_changed_known_at"], as_of
    )
    return the_day_after(row["previous_due_on"] if moved else row["due_on"])


def counts_until(row: Row, courses: Iterable[Row]) -> date | None:
    """The last day of a certificate; None: it is for good. What it says itself goes before what its course says."""
    if row["valid_until"] is not None:
        said: date = row["valid_until"]
        return said
    versions = {one["version"]: one for one in courses if one["course_id"] == row["course_id"]}
    begun = [number for number, one in versions.items() if midnight(one["effective_from"]) <= row["completed_at"]]
    version = row["course_version"] if row["course_version"] is not None else max(begun, default=None)
    days = versions[version]["validity_days"] if version in versions else None
    return None if days is None else row["completed_at"].astimezone(UTC).date() + timedelta(days=days)


def has_left(one: Row, as_of: datetime) -> bool:
    return one["active_to"] is not None and midnight(one["active_to"]) <= as_of


def is_to_come(one: Row, as_of: datetime) -> bool:
    return one["active_from"] is not None and midnight(one["active_from"]) > as_of


def standing(row: Row, person: Row, partner: Row, courses: Collection[Row], as_of: datetime) -> Standing:
    """One assignment by itself."""
    over = due_by(row, as_of)
    done = happened(row["completed_at"], row["completed_known_at"], as_of)
    on_time = done and row["completed_at"] < over
    due = over <= as_of
    if row["assigned_at"] >= over:
        return Standing("assigned_after_due", due, on_time)
    if happened(row["waived_at"], row["waived_known_at"], as_of):
        return Standing("waived", due, on_time)
    taken_back = happened(row["withdrawn_at"], row["withdrawn_known_at"], as_of) and row["withdrawn_at"] < over
    if taken_back or has_left(person, as_of) or has_left(partner, as_of):
        return Standing("withdrawn", due, on_time)
    if is_to_come(person, as_of) or is_to_come(partner, as_of):
        return Standing("not_begun", due, on_time)
    last = counts_until(row, courses) if done else None
    valid = last is None or as_of < the_day_after(last)
    if done and row["passed"] and valid:
        return Standing("completed", due, on_time)
    if not due:
        return Standing("not_due", due, on_time)
    return Standing("overdue" if not done else "expired" if row["passed"] else "failed", due, on_time)


def enablement(book: Book, partners: Collection[str], window: Window, as_of: datetime) -> dict[str, Parts]:
    """By partner; who has no assignment is not among them."""
    people = {one["person_id"]: one for one in book.as_of("person", as_of).values()}
    known = {one["partner_id"]: one for one in book.as_of("partner", as_of).values()}
    courses = list(book.as_of("enablement_course", as_of).values())
    found: dict[str, Parts] = defaultdict(lambda: defaultdict(Fraction))
    last: dict[tuple[str, str, str], tuple[datetime, str, Row, Standing]] = {}
    for name, row in book.as_of("enablement_assignment", as_of).items():
        if row["partner_id"] not in partners or row["assigned_at"] > as_of:
            continue
        one = standing(row, people[row["person_id"]], known[row["partner_id"]], courses, as_of)
        parts = found[row["partner_id"]]
        if one.state not in COUNTED:
            parts[one.state] += 1
            continue
        # Whoever is certified anew is asked once: by the last assignment of the course that counts at all.
        whose = row["partner_id"], row["person_id"], row["course_id"]
        if whose not in last or last[whose][:2] < (row["assigned_at"], name):
            last[whose] = row["assigned_at"], name, row, one
    for _, _, row, one in last.values():
        parts = found[row["partner_id"]]
        completed = one.state == "completed"
        inside = window.start <= row["assigned_at"] < window.end
        parts["facts"] += 1
        parts["denominator"] += 1
        parts["due"] += one.due
        parts[one.state] += 1
        parts["numerator"] += completed
        parts["early"] += completed and not one.due
        parts["on_time"] += completed and one.on_time
        parts["prior_credit"] += completed and row["prior_credit"]
        parts["assigned_in_window"] += inside
        parts["completed_of_assigned_in_window"] += inside and completed
    return dict(found)


def enablement_of(parts: Collection[Parts]) -> Fraction | None:
    """Of a group in percent; None where nothing was due and nothing was completed early."""
    asked = sum((one["denominator"] for one in parts), Fraction())
    return HUNDRED * sum((one["numerator"] for one in parts), Fraction()) / asked if asked else None
