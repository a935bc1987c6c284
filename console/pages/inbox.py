"""The inbox: what waits for whoever looks, what an approval would do, and the next one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.pages import telling
from console.pages.asked import PER_PAGE
from console.pages.asking import identity_of
from console.pages.judging import to_judge
from console.pages.render import page, words_of
from console.pages.telling import Effect, Waits
from console.pages.words import Words
from console.person import Person, SignedIn, signer_of
from console.signin import pool_of
from models.outline import Outline
from store.views import CohortScope, Line, list_lines, read_outlines, read_scope

router = APIRouter(include_in_schema=False)


class Item(NamedTuple):
    """A rollout that waits for the person. `effect` is what an approval would do; None where no gate is open."""

    line: Line
    mine: tuple[Waits, ...]
    others: tuple[Waits, ...]
    effect: Effect | None
    now: datetime
    proposer: str


@router.get("/")
async def inbox(request: Request, person: SignedIn) -> Response:
    """What awaits the person, the most urgent first, and what else runs."""
    words = words_of(request)
    items, total = await read_inbox(request, person, words)
    pauses, all_pauses = await to_judge(request, person, words)
    return page(
        request, "inbox.html", person, items=items, total=total, pauses=pauses, all_pauses=all_pauses, told=telling
    )


async def read_inbox(request: Request, person: Person, words: Words) -> tuple[tuple[Item, ...], int]:
    """What waits for a person, those overdue or due first; and how many there are in all."""
    pool = pool_of(request)
    async with pool.acquire() as conn:
        found = await list_lines(conn, awaiting=person.identity, signer=signer_of(person), urgent=True, limit=PER_PAGE)
        keys = [one.key for one in found.lines]
        scopes = await read_scope(conn, keys)
        plans = await read_outlines(conn, keys)
    real = datetime.now(UTC)
    items = [_item(words, line, plans[line.key], scopes[line.key], person, real) for line in found.lines]
    return tuple(sorted(items, key=_urgency)), found.total


def _item(
    words: Words, line: Line, plan: Outline, scope: Sequence[CohortScope], person: Person, real: datetime
) -> Item:
    now, given = line.clock.programme(real), line.standing_in(real)
    identity = identity_of(plan, person, given)
    found = telling.waits(words, plan, line.awaited, identity, now, given)
    gate = any(one.what.startswith("decide ") for one in line.awaited)
    effect = telling.effect_of(words, plan, line.phase, line.wave, tuple(scope)) if gate else None
    mine = tuple(one for one in found if one.mine)
    others = tuple(one for one in found if not one.mine)
    return Item(line, mine, others, effect, now, telling.name_of(plan, plan.proposer))


def _urgency(item: Item) -> tuple[bool, float, float]:
    """By how long there is left, in real time; what has no due time comes last, the longest waiting first."""
    dues = [one.due for one in item.mine if one.due is not None]
    left = min((due - item.now).total_seconds() / item.line.clock.speed for due in dues) if dues else 0.0
    waited = min((one.since.timestamp() for one in item.mine), default=0.0)
    return not dues, left, waited
