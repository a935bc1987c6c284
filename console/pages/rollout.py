"""One rollout: where it stands, what is asked of whoever looks, the numbers, the log, the data, the plan."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple

import asyncpg
from fastapi import APIRouter, Request
from starlette.responses import Response

from console.ahead import about_to_breach
from console.pages import deciding_card, telling, terms
from console.pages.asking import Look, look_at
from console.pages.metric_cards import Changes, Series, cards
from console.pages.render import page, words_of
from console.pages.words import Words
from console.person import Person, SignedIn
from console.signin import pool_of
from models.ahead import Ahead
from models.evidence import MetricAssessment
from models.kept import named_in
from models.letter import only_names
from models.plan import OptionKey, RolloutPlan
from models.quality import Finding, Severity
from models.reach import cohorts_to_enrol
from models.rollout import Phase, PhaseRecord, Status
from store.views import CohortScope, read_changes, read_series

log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)

NEWEST = 12
"""Entries of the log on a rollout's own page, without those that only name letters; the audit page has all."""

_COURSE = {
    OptionKey.MAINTAIN: (Phase.PREPARE, Phase.VALIDATE, Phase.CLOSE),
    OptionKey.STAGED: (Phase.PREPARE, Phase.PILOT, Phase.VALIDATE, Phase.SCALE, Phase.CLOSE),
    OptionKey.REDESIGN: (Phase.PREPARE, Phase.SCALE, Phase.CLOSE),
}


class Step(NamedTuple):
    """A phase, or a wave of one, on the course: `state` is done, here or ahead."""

    name: str
    state: str
    entered: datetime | None
    left: datetime | None
    partners: int | None


class Doubt(NamedTuple):
    """What a check of the data found, and of which metric and cohort."""

    item: MetricAssessment
    finding: Finding


@router.get("/rollouts/{name}")
async def rollout(request: Request, person: SignedIn, name: str) -> Response:
    """The page of one rollout."""
    return await show(request, person, name)


async def show(
    request: Request,
    person: Person,
    name: str,
    status: int = HTTPStatus.OK,
    problem: str | None = None,
    draft: str = "",
) -> Response:
    """The page of one rollout, with what was wrong with a decision, and what had been written of it."""
    words = words_of(request)
    look = await look_at(request, person, name)
    if look is None:
        return unknown(request, person, name)
    series, changes = await _course_of_metrics(request, look)
    ahead = await _ahead(request, look)
    now = look.view.programme_now if look.view else look.line.since
    return page(
        request,
        "rollout.html",
        person,
        status,
        look=look,
        now=now,
        status_name=look.view.status.value if look.view else look.line.status,
        since=look.view.since if look.view else look.line.since,
        headline=telling.headline(words, look),
        why=telling.why(words, look),
        next=telling.next_words(words, look),
        ahead=tuple(telling.ahead_words(words, one) for one in ahead),
        waits=telling.waits(words, look.plan, telling.awaited_of(look), look.identity(person), now, look.delegations),
        steps=steps(words, look),
        card=deciding_card.card_of(words, look, person),
        cards=cards(words, look, series, changes),
        log=tuple(one for one in reversed(look.log) if not only_names(one))[:NEWEST],
        kept=named_in(look.log),
        delegations=look.view.delegations if look.view else (),
        doubts=doubts(look.assessment.items if look.assessment else ()),
        name_of=lambda who: telling.name_of(look.plan, who, look.delegations),
        problem=problem,
        draft=draft,
    )


async def _course_of_metrics(request: Request, look: Look) -> tuple[Series, Changes]:
    """What the charts show; before anything is judged there is none, and of changes only where they are judged."""
    items = look.assessment.items if look.assessment else ()
    if not items:
        return {}, {}
    async with pool_of(request).acquire() as conn:
        series = await read_series(conn, look.line.key)
        judged = any(one.change is not None for one in items)
        return series, await read_changes(conn, look.line.key) if judged else {}


async def _ahead(request: Request, look: Look) -> tuple[Ahead, ...]:
    """What is about to breach. It is not worth a page that does not come."""
    try:
        async with pool_of(request).acquire() as conn:
            return await about_to_breach(conn, look.line.key, datetime.now(UTC))
    except (TimeoutError, asyncpg.PostgresError) as problem:
        log.warning("what is about to breach cannot be looked at: %s: %s", type(problem).__name__, str(problem)[:300])
        return ()


def unknown(request: Request, person: Person, name: str) -> Response:
    """The page for what there is not."""
    return page(request, "missing.html", person, HTTPStatus.NOT_FOUND, name=name[:100])


def steps(words: Words, look: Look) -> tuple[Step, ...]:
    """The course of the plan with the dates of what was passed."""
    plan, view = look.plan, look.view
    here = (view.phase.value, view.wave) if view else (look.line.phase, look.line.wave)
    over = (view.status.value if view else look.line.status) in (Status.COMPLETED, Status.STOPPED)
    records = {(one.phase.value, one.wave): one for one in (view.history if view else ())}
    course = _course(plan)
    at = course.index(here) if here in course else 0
    return tuple(
        _step(words, plan, place, number, at, over, records.get(place), look.scope)
        for number, place in enumerate(course)
    )


def _course(plan: RolloutPlan) -> list[tuple[str, int | None]]:
    found: list[tuple[str, int | None]] = []
    for phase in _COURSE[plan.chosen]:
        if phase is not Phase.SCALE:
            found.append((phase.value, None))
        elif plan.chosen is OptionKey.REDESIGN:
            found.append((phase.value, 1))
        else:
            found.extend((phase.value, number) for number in range(1, len(plan.cohorts.waves) + 1))
    return found


def _step(
    words: Words,
    plan: RolloutPlan,
    place: tuple[str, int | None],
    number: int,
    at: int,
    over: bool,
    record: PhaseRecord | None,
    scope: Sequence[CohortScope],
) -> Step:
    entering = cohorts_to_enrol(plan, place[0], place[1])
    partners = sum(one.partners for one in scope if one.name in entering) if entering and scope else None
    state = "here" if number == at and not over else "done" if number <= at and (record or number < at) else "ahead"
    name = terms.phase(words, place[0], place[1], len(plan.cohorts.waves))
    return Step(name, state, record.entered_at if record else None, record.left_at if record else None, partners)


def doubts(items: Sequence[MetricAssessment]) -> tuple[Doubt, ...]:
    """What the checks of the data found that is not in order, the red first."""
    found = [Doubt(item, one) for item in items for one in item.quality if one.severity is not Severity.GREEN]
    return tuple(sorted(found, key=lambda one: one.finding.severity is not Severity.RED))
