"""Pauses that nobody has judged, for whoever had to act on them: while the rollout is open they can still say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from fastapi import Request

from console.deciding import delegation_of, owner_of
from console.pages import telling
from console.pages.words import Words
from console.person import Person, signer_of
from console.signin import pool_of
from learning.entries import cause_of
from learning.review import pause_reviews
from models.learning import Judged, PauseReview
from models.log import LogEntry
from models.plan import Owner, RolloutPlan
from models.rollout import PauseCause
from store.rollouts import read_plan
from store.views import Line, read_line, read_pauses
from workflows.hindsight import MOST, judges

SHOWN = 10
"""Forms on one page; the others come up as these are done."""


class Unjudged(NamedTuple):
    """A pause that is over. `others` may judge it as well; `lasted` is None where a stop overtook it at once."""

    line: Line
    pause: PauseReview
    others: str
    lasted: timedelta


async def to_judge(request: Request, person: Person, words: Words) -> tuple[tuple[Unjudged, ...], int]:
    """The pauses that wait for a person's judgement, the newest first; and how many there are in all."""
    async with pool_of(request).acquire() as conn:
        told = await read_pauses(conn, person.identity, signer_of(person))
        found: list[Unjudged] = []
        for key, entries in told.items():
            line, plan = await read_line(conn, key.rollout_id), await read_plan(conn, key)
            if line is None or plan is None or line.key != key:
                continue
            owner = owner_of(plan, person) or _stood_in_for(plan, line, person)
            if owner is not None:
                found += [_shown(words, line, plan, owner, one) for one in waiting(plan, owner, entries)]
    found.sort(key=lambda one: (one.pause.since, one.line.key.rollout_id), reverse=True)
    return tuple(found[:SHOWN]), len(found)


def waiting(plan: RolloutPlan, owner: Owner, entries: Sequence[LogEntry]) -> tuple[PauseReview, ...]:
    """The pauses that are over, that nobody has judged, and that are this owner's to judge.

    Args:
        entries: of one rollout, by their sequence; those about pauses are enough.
    """
    breaches = {one.sequence for one in entries if cause_of(one) is PauseCause.GUARDRAIL}
    return tuple(
        one
        for one in pause_reviews(entries)[-MOST:]
        if one.until is not None
        and one.judged is Judged.UNJUDGED
        and owner in judges(plan, one.must_act, guardrail=one.sequence in breaches)
    )


def _stood_in_for(plan: RolloutPlan, line: Line, person: Person) -> Owner | None:
    given = delegation_of(line.standing_in(datetime.now(UTC)), person)
    return plan.owner(given.owner) if given else None


def _shown(words: Words, line: Line, plan: RolloutPlan, owner: Owner, pause: PauseReview) -> Unjudged:
    others = [telling.name_of(plan, one.identity) for one in plan.holders(*pause.must_act) if one != owner]
    return Unjudged(line, pause, words.listed(others), (pause.until or pause.since) - pause.since)
