"""What a metric of deadlines can still come to: at best, and if the leads that are due soon were missed."""

from __future__ import annotations

from typing import NamedTuple

from models.evidence import CohortReading, GroupValue
from models.metric import CATALOGUE

OF_DEADLINES = {name: spec.met_by for name, spec in CATALOGUE.items() if spec.met_by is not None}
"""Metrics whose facts are decided by a deadline at the latest, and what meets it."""


class AtBest(NamedTuple):
    """The value if everything that is open goes well, in percent; how many leads are open, and in words."""

    value: float
    open: float
    told: str


def at_best(reading: CohortReading) -> AtBest | None:
    """What an SLA, or an acceptance, comes to if every lead that is open turns out to be met.

    `100 x (met + pending + recent) / (decided + pending)`, percent: pending leads have their deadline before them, of
    recent breaches a contact (an answer) in time may still become known. None where nothing is open: then the value is
    what it is.
    """
    parts = reading.group.parts
    pending, recent = parts.get("pending", 0.0), parts.get("open_breach_recent", 0.0)
    met, decided = reading.group.numerator, reading.group.denominator
    if reading.metric not in OF_DEADLINES or met is None or decided is None:
        return None
    if pending + recent <= 0 or decided + pending <= 0:
        return None
    told = [_of_all(pending, "pending lead is met", "pending leads are met")] if pending else []
    if recent:
        of_those = _of_all(recent, "that was missed within a day", "that were missed within a day")
        told.append(f"{OF_DEADLINES[reading.metric]} in time becomes known of {of_those}")
    return AtBest(100 * (met + pending + recent) / (decided + pending), pending + recent, " and ".join(told))


def _of_all(number: float, one: str, several: str) -> str:
    return f"the one {one}" if number == 1 else f"all {number:g} {several}"


def past_deadline(reading: CohortReading) -> float | None:
    """What `at_best` is of comes to without the leads that were met before their deadline, `100 x (met - early) /
    (decided - early)`, percent: while others of that age are pending, they flatter it. None where that says nothing
    else."""
    early = reading.group.parts.get("met_early", 0.0)
    met, decided = reading.group.numerator, reading.group.denominator
    if reading.metric not in OF_DEADLINES or met is None or decided is None:
        return None
    if early <= 0 or decided <= early:
        return None
    return 100 * (met - early) / (decided - early)


def with_missed(reading: CohortReading, leads: int) -> CohortReading:
    """The reading of a metric of deadlines with so many further leads past theirs and nothing that meets it.

    `100 x met / (decided + leads)`, percent: what is pending moves into the denominator and into no numerator.
    """
    met, decided = reading.group.numerator or 0.0, (reading.group.denominator or 0.0) + leads
    if decided <= 0:
        return reading
    parts = reading.group.parts
    group = GroupValue(
        value=100 * met / decided,
        numerator=met,
        denominator=decided,
        n_partners=reading.group.n_partners,
        n_facts=reading.group.n_facts + leads,
        parts={**parts, "pending": max(0.0, parts.get("pending", 0.0) - leads)},
    )
    return reading.model_copy(update={"group": group})
