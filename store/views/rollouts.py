"""Rollouts as lists and the inbox show them, without the bulk of their plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from models.base import Frozen, Instant
from models.clock import ProgrammeClock
from models.outline import Outline
from models.plan import RolloutPlan
from models.rollout import Awaited, Delegation
from models.work import RolloutKey
from store.pool import Connection
from store.rollouts import plan_of
from store.statements import statement

_LISTED = statement("views/listed")
_LINES = f"with listed as ({_LISTED})\n{statement('views/lines')}"
_NEWEST = f"with listed as ({statement('views/newest')})\n{statement('views/lines')}"
_WHOLE = (
    f"with listed as ({statement('views/newest')}),\nline as ({statement('views/lines')})\n{statement('views/whole')}"
)
_COUNT = f"select count(*) from ({_LISTED}) as listed"  # noqa: S608 - a statement of ours, nobody's words
_OUTLINES = statement("views/outlines")
_SCOPE = statement("views/scope")

_AWAITED: TypeAdapter[tuple[Awaited, ...]] = TypeAdapter(tuple[Awaited, ...])
_DELEGATIONS: TypeAdapter[tuple[Delegation, ...]] = TypeAdapter(tuple[Delegation, ...])


class Line(Frozen):
    """A rollout as it last told of itself. `since` is programme time; `enrolled` of `planned` partners are under the
    new rule now, those of the control group not counted."""

    key: RolloutKey
    title: str
    option: str
    waves: int
    plan_digest: str
    clock: ProgrammeClock
    phase: str
    wave: int | None
    status: str
    sentence: str
    since: Instant
    next: str
    awaited: tuple[Awaited, ...]
    delegations: tuple[Delegation, ...]
    open: bool
    sequence: int
    opened_at: Instant
    updated_at: Instant
    enrolled: int
    planned: int

    def standing_in(self, at: datetime) -> tuple[Delegation, ...]:
        """The delegations that have not ended at a real moment."""
        now = self.clock.programme(at)
        return tuple(one for one in self.delegations if now < one.until)


class Lines(Frozen):
    """A page of a list, and how many there are in all."""

    lines: tuple[Line, ...]
    total: int


class CohortScope(Frozen):
    """A cohort as it was frozen, and how many of it are under the new rule now."""

    name: str
    partners: int
    enrolled: int


_COHORTS: TypeAdapter[tuple[CohortScope, ...]] = TypeAdapter(tuple[CohortScope, ...])


class Whole(NamedTuple):
    """All of a rollout that its own page begins with. `scope` are its cohorts in their order."""

    line: Line
    plan: RolloutPlan
    scope: tuple[CohortScope, ...]


async def list_lines(
    conn: Connection,
    *,
    status: str | None = None,
    phase: str | None = None,
    awaiting: str | None = None,
    signer: tuple[str, str] | None = None,
    words: str | None = None,
    only_open: bool = False,
    urgent: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> Lines:
    """Rollouts that fulfil all of what is given, the newest first.

    Args:
        awaiting: the identity of somebody they wait for.
        signer: issuer and subject of the same person. A plan that says these of an owner, or an owner who says them of
            whom they let act, means this person, whatever the identity; one that says others of the identity does not.
        words: part of the id or the title.
        urgent: where there are more than `limit`, those that people have the least time left for; by the programme's
            clocks, which run at one speed but for demonstrations.
    """
    person = awaiting.casefold() if awaiting is not None else None
    known = [{"issuer": signer[0], "subject": signer[1]}] if signer else None
    asked = (status, phase, person, escaped(words), only_open or awaiting is not None, None, known)
    rows = await conn.fetch(_LINES, *asked, limit, offset, urgent)
    total = len(rows) if offset == 0 and len(rows) < limit else await conn.fetchval(_COUNT, *asked, None, 0, False)
    return Lines(lines=tuple(map(_line, rows)), total=total)


async def read_line(conn: Connection, rollout_id: str) -> Line | None:
    """The newest chain of a rollout, None for an unknown one."""
    row = await conn.fetchrow(_LINES, None, None, None, None, False, rollout_id, None, 1, 0, False)
    return _line(row) if row else None


async def read_whole(conn: Connection, rollout_id: str) -> Whole | None:
    """The newest chain of a rollout with its plan, None for an unknown one."""
    row = await conn.fetchrow(_WHOLE, [rollout_id])
    return Whole(_line(row), plan_of(row["plan"]), _COHORTS.validate_json(row["scope"])) if row else None


async def read_lines(conn: Connection, rollout_ids: Sequence[str]) -> tuple[Line, ...]:
    """The newest chains of rollouts, the newest first."""
    return tuple(map(_line, await conn.fetch(_NEWEST, list(rollout_ids))))


async def read_scope(conn: Connection, keys: Sequence[RolloutKey]) -> dict[RolloutKey, tuple[CohortScope, ...]]:
    """The cohorts of rollouts in their order; none before they are frozen."""
    rows = await conn.fetch(_SCOPE, [key.rollout_id for key in keys], [key.chain_id for key in keys])
    found: dict[RolloutKey, tuple[CohortScope, ...]] = {key: () for key in keys}
    for row in rows:
        key = RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"])
        one = CohortScope(name=row["name"], partners=row["partners"], enrolled=row["enrolled"])
        found[key] = (*found[key], one)
    return found


async def read_outlines(conn: Connection, keys: Sequence[RolloutKey]) -> dict[RolloutKey, Outline]:
    """Of the plans of rollouts what lists need."""
    rows = await conn.fetch(_OUTLINES, [key.rollout_id for key in keys], [key.chain_id for key in keys])
    return {
        RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]): Outline.model_validate_json(row["outline"])
        for row in rows
    }


def escaped(words: str | None) -> str | None:
    """Words for LIKE, in which its signs stand for themselves; None for nothing asked."""
    if not words:
        return None
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _line(row: Any) -> Line:
    plain = set(Line.model_fields) - {"key", "clock", "awaited", "delegations"}
    return Line(
        key=RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]),
        clock=ProgrammeClock(real_start=row["real_start"], programme_start=row["programme_start"], speed=row["speed"]),
        awaited=_AWAITED.validate_json(row["awaited"]),
        delegations=_DELEGATIONS.validate_json(row["delegations"]),
        **{name: row[name] for name in plain},
    )
