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
from models.outline import Outline
from models.plan import Owner, RolloutPlan
from models.rollout import PauseCause
from store.views import Line, read_lines, read_outlines, read_pauses
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
        paused = await read_pauses(conn, person.identity, signer_of(person))
        # Most pauses have been judged: of those no more is read.
        told = {key: entries for key, entries in paused.items() if left_open(entries)}
        if not told:
            return (), 0
        newest = await read_lines(conn, [key.rollout_id for key in told])
        lines = [line for line in newest if line.key in told]
        plans = await read_outlines(conn, [line.key for line in lines])
    found: list[Unjudged] = []
    for line in lines:
        plan = plans[line.key]
        owner = owner_of(plan, person) or _stood_in_for(plan, line, person)
        if owner is not None:
            found += [_shown(words, line, plan, owner, one) for one in waiting(plan, owner, told[line.key])]
    found.sort(key=lambda one: (one.pause.since, one.line.key.rollout_id), reverse=True)
    return tuple(found[:SHOWN]), len(found)


def waiting(plan: RolloutPlan | Outline, owner: Owner, entries: Sequence[LogEntry]) -> tuple[PauseReview, ...]:
    """The pauses that are over, that nobody has judged, and that are this owner's to judge.

    Args:
        entries: of one rollout, by their sequence; those about pauses are enough.
    """
    breaches = {one.sequence for one in entries if cause_of(one) is PauseCause.GUARDRAIL}
    return tuple(
        one for one in left_open(entries) if owner in judges(plan, one.must_act, guardrail=one.sequence in breaches)
    )


def left_open(entries: Sequence[LogEntry]) -> tuple[PauseReview, ...]:
    """The pauses that are over and that nobody has judged, whose ever they are to judge."""
    return tuple(
        one for one in pause_reviews(entries)[-MOST:] if one.until is not None and one.judged is Judged.UNJUDGED
    )


def _stood_in_for(plan: RolloutPlan | Outline, line: Line, person: Person) -> Owner | None:
    given = delegation_of(line.standing_in(datetime.now(UTC)), person)
    return plan.owner(given.owner) if given else None


def _shown(words: Words, line: Line, plan: RolloutPlan | Outline, owner: Owner, pause: PauseReview) -> Unjudged:
    others = [telling.name_of(plan, one.identity) for one in plan.holders(*pause.must_act) if one != owner]
    return Unjudged(line, pause, words.listed(others), (pause.until or pause.since) - pause.since)
