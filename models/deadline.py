"""Deadlines of leads: which terms a lead is assigned under, when it is due by them, and how far pauses move that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import Field

from models.base import Frozen
from models.calendar import BusinessClock

Minutes = Annotated[int, Field(gt=0)]


class TimeKind(StrEnum):
    """What a term counts: time in the partner's opening hours, or all time."""

    BUSINESS = "business"
    ELAPSED = "elapsed"


class LeadTerms(Frozen):
    """One row of a lead policy. `lead_class` None: of every class without a row of its own in that version.

    `pauses` are the states that the policy agrees stop the clock, for `pause_limit` minutes of its time in all.
    """

    policy_version: str
    lead_class: str | None = None
    effective_from: date
    accept_within: Minutes | None = None
    accept_counts: TimeKind = TimeKind.BUSINESS
    contact_within: Minutes | None = None
    contact_counts: TimeKind = TimeKind.BUSINESS
    pauses: tuple[str, ...] = ()
    pause_limit: Minutes


class Pause(NamedTuple):
    """A stretch in which an agreed state stops the clock; `until` None: it has not ended yet."""

    since: datetime
    until: datetime | None


class Clocks(NamedTuple):
    """The two clocks that a partner's leads can run by."""

    business: BusinessClock
    elapsed: BusinessClock

    def of(self, kind: TimeKind) -> BusinessClock:
        """The one that counts this kind of time."""
        return self.business if kind is TimeKind.BUSINESS else self.elapsed


def terms_for(
    policies: Iterable[LeadTerms], lead_class: str | None, assigned_at: datetime, version: str | None = None
) -> LeadTerms | None:
    """The terms of a lead: those of the version it names, or else of the one that came into force last before it.

    A class without terms of its own has those for every class; None: there are none, and so no deadline.
    """
    day = assigned_at.astimezone(UTC).date()
    named = [one for one in policies if version is None or one.policy_version == version]
    held = [one for one in named if one.effective_from <= day]
    if not held:
        return None
    newest = max((one.effective_from, one.policy_version) for one in held)[1]
    by_class = {one.lead_class: one for one in held if one.policy_version == newest}
    return by_class.get(lead_class) or by_class.get(None)


def due_at(clock: BusinessClock, assigned_at: datetime, within: int | None) -> datetime | None:
    """When that many minutes have passed on the clock; None where there is no such term."""
    return None if within is None else clock.add(assigned_at, timedelta(minutes=within))


def moved(
    clock: BusinessClock, assigned_at: datetime, due: datetime | None, pauses: Sequence[Pause], limit: int
) -> datetime | None:
    """The deadline, moved by the time on the clock that pauses took before it passed.

    A pause that has not ended counts as lasting to the limit, so that a clock that stands makes nobody late, and a
    pause that nobody ends makes nobody exempt. One that begins at the deadline or later comes too late.
    """
    left = timedelta(minutes=limit)
    for since, until in _apart(pauses):
        if due is None or since >= due:
            break
        begins = max(since, assigned_at)
        stood = left if until is None else min(clock.between(begins, max(until, begins)), left)
        due, left = clock.add(due, stood), left - stood
    return due


def time_on(clock: BusinessClock, assigned_at: datetime, until: datetime, pauses: Sequence[Pause]) -> timedelta:
    """How long the clock ran from the assignment until a moment, standing while paused."""
    ran = clock.between(assigned_at, until)
    for since, ended in _apart(pauses):
        begins, ends = (min(max(moment, assigned_at), until) for moment in (since, ended or until))
        ran -= clock.between(begins, max(begins, ends))
    return ran


def _apart(pauses: Sequence[Pause]) -> list[Pause]:
    """Pauses in order, with those that touch or overlap joined."""
    joined: list[Pause] = []
    for one in sorted(pauses, key=lambda pause: pause.since):
        last = joined[-1] if joined else None
        if last is None or (last.until is not None and last.until < one.since):
            joined.append(one)
        elif last.until is not None:
            later = None if one.until is None else max(last.until, one.until)
            joined[-1] = Pause(last.since, later)
    return joined
