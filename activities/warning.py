"""Warns before a breach: leads due within business hours that, missed, would take their metric beyond its limit. Whom a
letter went to about it, others are shown as well, for as long as it is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from activities.measuring import measure
from judgement.projection import OF_DEADLINES, with_missed
from judgement.thresholds import judge
from models.ahead import Ahead
from models.calendar import BusinessClock, NeverOpensError
from models.evidence import Assessment, Baseline, CohortReading, MetricAssessment
from models.metric import CATALOGUE, MetricName
from models.plan_metric import MetricPlan
from models.rollout import Notice
from store import notices
from store.calendars.book import CalendarBook
from store.changes import DueSoon, Stretch, due_soon
from store.evidence import Measured
from store.pool import Connection
from store.rollouts import StoredRollout
from store.warned import Warned, letter_id

LOOKED_UP = timedelta(days=14)
"""Calendars are read so far ahead: no holidays are longer."""

SLOWEST = 10
"""And so many times what a plan looks ahead by: hours of business are more than a tenth of a week."""

Look = tuple[StoredRollout, Measured, Assessment]


class _Case(NamedTuple):
    """A cohort of which a metric of deadlines is within its limit now, and those of it of whom leads are pending."""

    rollout: StoredRollout
    plan: MetricPlan
    pending: tuple[str, ...]
    reading: CohortReading
    item: MetricAssessment


async def warn_ahead(conn: Connection, looks: Sequence[Look]) -> int:
    """Queue a notice to the owner of a metric of deadlines for each cohort that is about to breach it; how many.

    Key: rollout, cohort, metric and programme day, so that a day of close calls is one letter.
    """
    queued = 0
    for metric in OF_DEADLINES:
        cases = [case for look in looks for case in _cases(*look, metric) if _may_breach(case)]
        if cases:
            queued += await _warn_of(conn, metric, cases)
    return queued


async def still_about_to_breach(
    conn: Connection, rollout: StoredRollout, warned: Warned, now: datetime
) -> tuple[Ahead, ...]:
    """What was warned of and is still so at a moment of programme time: the facts as they are known are measured and
    judged, and the leads counted that are due from then on. What was dealt with, or is past, is not in it.

    Raises:
        TimeoutError: it takes too long to measure.
    """
    told = list[Ahead]()
    for metric, cohorts in warned.items():
        plan = rollout.plan.metric(metric)
        if plan is None:
            continue
        measured = await measure(conn, now, cohorts, {metric: plan.window})
        items = {one.cohort: judge(one, plan, _frozen(rollout, one), (), now) for one in measured.snapshot.readings}
        cases = [case for case in _cases_of(rollout, plan, measured, items) if _may_breach(case)]
        told += [ahead for _, ahead in await _about_to_breach(conn, metric, cases)] if cases else []
    return tuple(told)


async def _warn_of(conn: Connection, metric: MetricName, cases: Sequence[_Case]) -> int:
    found = await _about_to_breach(conn, metric, cases)
    for case, ahead in found:
        await notices.queue(conn, case.rollout.key, case.rollout.plan, _notice(case, ahead))
    return len(found)


async def _about_to_breach(conn: Connection, metric: MetricName, cases: Sequence[_Case]) -> list[tuple[_Case, Ahead]]:
    """The cases that the leads due soon would tip, if they were missed."""
    due = await due_soon(conn, await _stretches(conn, cases), metric)
    found = []
    for case, leads in zip(cases, due, strict=True):
        missed = with_missed(case.reading, leads.leads) if leads else case.reading
        if leads and _breached(case, missed):
            found.append((case, _ahead(case, leads, missed)))
    return found


def _cases(rollout: StoredRollout, measured: Measured, assessment: Assessment, metric: MetricName) -> Iterator[_Case]:
    plan = rollout.plan.metric(metric)
    if plan is not None and plan.can_warn_ahead:
        items = {item.cohort: item for item in assessment.items if item.metric is metric}
        yield from _cases_of(rollout, plan, measured, items)


def _cases_of(
    rollout: StoredRollout, plan: MetricPlan, measured: Measured, items: Mapping[str, MetricAssessment]
) -> Iterator[_Case]:
    rows = {one.cohort: one.partners for one in measured.rows if one.metric is plan.metric}
    for reading in measured.snapshot.readings:
        item = items.get(reading.cohort)
        if reading.metric is plan.metric and item is not None and item.data_current and not item.beyond_threshold:
            pending = tuple(one.partner_id for one in rows[reading.cohort] if one.parts["pending"])
            yield _Case(rollout, plan, pending, reading, item)


def _may_breach(case: _Case) -> bool:
    """Whether it is worth asking which leads are due soon. They are among those that were pending when the metric was
    read, and each that is missed takes it lower: where it holds without all of those, it holds without some of them.
    It is asked where a limit is an upper one, which it may come to keep as it falls. Whoever was assigned since then is
    pending for the next look."""
    if not all(limit.at_least for limit in case.plan.thresholds):
        return True
    pending = int(case.reading.group.parts.get("pending", 0.0))
    return pending > 0 and _breached(case, with_missed(case.reading, pending))


async def _stretches(conn: Connection, cases: Sequence[_Case]) -> list[Stretch]:
    """How far the business time that each plan looks ahead reaches, by each partner's calendar; what is closed now
    reaches into the next opening. The calendars of all who are looked at as of one moment are read together."""
    asked: dict[datetime, list[_Case]] = {}
    for case in cases:
        asked.setdefault(case.reading.window.end, []).append(case)
    reaches = {now: await _Reaches.read(conn, now, some) for now, some in asked.items()}
    return [reaches[case.reading.window.end].stretch(case) for case in cases]


class _Reaches:
    """Until when business time reaches from one moment on, by calendar and by how much of it."""

    def __init__(self, book: CalendarBook, now: datetime) -> None:
        self._book, self._now = book, now
        self._known: dict[tuple[str | None, timedelta], datetime] = {}

    @classmethod
    async def read(cls, conn: Connection, now: datetime, cases: Sequence[_Case]) -> _Reaches:
        book = CalendarBook(conn, now)
        farthest = max(case.plan.warn_ahead for case in cases)
        partners = {partner for case in cases for partner in case.pending}
        await book.read(partners, now, now + LOOKED_UP + SLOWEST * farthest)
        return cls(book, now)

    def stretch(self, case: _Case) -> Stretch:
        until = {one: self._until(self._book.calendar_id(one), case.plan.warn_ahead) for one in case.pending}
        return Stretch(until, case.reading.window.start, self._now)

    def _until(self, calendar: str | None, ahead: timedelta) -> datetime:
        if (calendar, ahead) not in self._known:
            self._known[calendar, ahead] = _reached(self._book.clocks_of(calendar).business, self._now, ahead)
        return self._known[calendar, ahead]


def _reached(clock: BusinessClock, now: datetime, ahead: timedelta) -> datetime:
    try:
        return clock.add(now, ahead)
    except NeverOpensError:
        return now


def _breached(case: _Case, missed: CohortReading) -> bool:
    return judge(missed, case.plan, _frozen(case.rollout, missed), (), missed.window.end).beyond_threshold


def _frozen(rollout: StoredRollout, reading: CohortReading) -> Baseline | None:
    baselines, of = rollout.standing.baselines, (reading.cohort, reading.metric)
    return next((one for one in baselines if (one.cohort, one.metric) == of), None)


def _ahead(case: _Case, due: DueSoon, missed: CohortReading) -> Ahead:
    return Ahead(
        cohort=case.reading.cohort,
        metric=case.reading.metric,
        value=case.item.value,
        agreed=tuple(map(str, case.plan.thresholds)),
        leads=due.leads,
        within=case.plan.warn_ahead,
        first_due_at=due.first_due_at,
        falls_to=missed.group.value or 0.0,
        partners=due.partners,
    )


def _notice(case: _Case, ahead: Ahead) -> Notice:
    plan, now, spec = case.rollout.plan, case.reading.window.end, CATALOGUE[ahead.metric]
    return Notice(
        notice_id=letter_id(case.rollout.key, ahead.cohort, ahead.metric, now),
        kind="warning",
        roles=(spec.owner_role,),
        subject=f"{plan.title}: {spec.title} of {ahead.cohort} is about to breach",
        body="\n".join(ahead.sentences),
        programme_at=now,
        cause="about to breach",
        must_act=(spec.owner_role,),
        due=ahead.first_due_at,
    )
