"""Warns before a breach: leads due within business hours that, missed, would take their metric beyond its limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from judgement.projection import OF_DEADLINES, with_missed, written_down
from judgement.thresholds import judge
from models.calendar import BusinessClock, NeverOpensError
from models.evidence import Assessment, CohortReading, MetricAssessment
from models.metric import CATALOGUE, MetricName
from models.plan_metric import MetricPlan
from models.rollout import Notice
from store import notices
from store.calendars.book import CalendarBook
from store.changes import DueSoon, Stretch, due_soon
from store.evidence import Measured
from store.pool import Connection
from store.rollouts import StoredRollout

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


async def _warn_of(conn: Connection, metric: MetricName, cases: Sequence[_Case]) -> int:
    due = await due_soon(conn, await _stretches(conn, cases), metric)
    queued = 0
    for case, leads in zip(cases, due, strict=True):
        missed = with_missed(case.reading, leads.leads) if leads else case.reading
        if leads and _breached(case, missed):
            notice = _notice(case, leads, missed)
            await notices.queue(conn, case.rollout.key, case.rollout.plan, notice)
            queued += 1
    return queued


def _cases(rollout: StoredRollout, measured: Measured, assessment: Assessment, metric: MetricName) -> Iterator[_Case]:
    plan = rollout.plan.metric(metric)
    if plan is None or not plan.can_warn_ahead:
        return
    rows = {one.cohort: one.partners for one in measured.rows if one.metric is metric}
    items = {item.cohort: item for item in assessment.items if item.metric is metric}
    for reading in measured.snapshot.readings:
        item = items.get(reading.cohort)
        if reading.metric is metric and item is not None and item.data_current and not item.beyond_threshold:
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
    baselines, reading = case.rollout.standing.baselines, case.reading
    frozen = next((one for one in baselines if (one.cohort, one.metric) == (reading.cohort, reading.metric)), None)
    return judge(missed, case.plan, frozen, (), missed.window.end).beyond_threshold


def _hours(ahead: timedelta) -> str:
    hours = ahead / timedelta(hours=1)
    return f"{hours:.3g} business hour{'' if hours == 1 else 's'}"


def _notice(case: _Case, due: DueSoon, missed: CohortReading) -> Notice:
    key, plan, now = case.rollout.key, case.rollout.plan, case.reading.window.end
    spec, metric = CATALOGUE[case.reading.metric], case.reading.metric
    title, limits = spec.title, " and ".join(map(str, case.plan.thresholds))
    stands = "no lead is decided yet" if case.item.value is None else f"it stands at {case.item.value:.1f} %"
    # Of the lead it is said by the word for what meets its deadline: a contact contacts, and an answer answers.
    body = (
        f"{title} of {case.reading.cohort}: {stands}, agreed {limits}.\n"
        f"{due.leads} leads without {OF_DEADLINES[metric]} are due within {_hours(case.plan.warn_ahead)}, the first at "
        f"{due.first_due_at:%Y-%m-%d %H:%M} UTC. "
        f"If nobody {written_down(metric)}s them it falls to {missed.group.value:.1f} %, beyond what is agreed.\n"
        f"Partners: {', '.join(due.partners)}"
    )
    return Notice(
        notice_id=f"{key.rollout_id}/{key.chain_id}/warning/{case.reading.cohort}/{metric.value}/{now:%Y-%m-%d}",
        kind="warning",
        roles=(spec.owner_role,),
        subject=f"{plan.title}: {title} of {case.reading.cohort} is about to breach",
        body=body,
        programme_at=now,
        cause="about to breach",
        must_act=(spec.owner_role,),
        due=due.first_due_at,
    )
