"""Rollouts in the store: their plan and standing, for lists and for the watch."""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from models.base import Frozen, Instant
from models.brief import baselines_of
from models.clock import ProgrammeClock
from models.evidence import Baseline
from models.plan import Decisions, RolloutPlan
from models.rollout import Awaited, CohortMembers, Delegation
from models.work import OpenRequest, RolloutKey, Standing, StandingBrief
from store import frozen
from store.enrolments import NotFrozen
from store.evidence import Measured, Past, Stored, past_of, read_measured
from store.pool import Connection
from store.statements import statement

_OPEN = statement("rollouts/open_rollout")
_SUPERSEDE = statement("rollouts/supersede")
_AS_IT_WAS = statement("rollouts/keep_standing")
_STANDING = statement("rollouts/update_standing")
_BRIEF = statement("rollouts/update_brief")
COLUMNS = statement("rollouts/stored_columns")
"""What `stored_of` reads of a row `r` besides the rollout's names, one column after the other."""
_STORED = f"select r.rollout_id, r.chain_id,\n{COLUMNS}from rollout r\n"
_THESE = _STORED + statement("rollouts/these")
_TO_JUDGE = statement("rollouts/to_judge")

_KNOWN = 1000
"""Rollouts whose baselines a process remembers, and plans whose digest: what has a digest never changes."""

_BASELINES: TypeAdapter[tuple[Baseline, ...]] = TypeAdapter(tuple[Baseline, ...])
_COHORTS: TypeAdapter[tuple[CohortMembers, ...]] = TypeAdapter(tuple[CohortMembers, ...])
_AWAITED: TypeAdapter[tuple[Awaited, ...]] = TypeAdapter(tuple[Awaited, ...])
_DELEGATIONS: TypeAdapter[tuple[Delegation, ...]] = TypeAdapter(tuple[Delegation, ...])

_baselines: OrderedDict[tuple[RolloutKey, str], bytes] = OrderedDict()
_digests: OrderedDict[bytes, str] = OrderedDict()


class UnknownBaselines(Exception):
    """The store has no evidence to take the baselines from, or not yet."""


class StoredRollout(Frozen):
    """A rollout as lists show it and the watch needs it. `short_words`: it reads the watch's `DailyWord`."""

    key: RolloutKey
    plan: RolloutPlan
    plan_digest: str
    clock: ProgrammeClock
    decisions: Decisions = Decisions.UNSIGNED
    standing: Standing
    opened_at: Instant
    updated_at: Instant
    short_words: bool = False


async def open_rollout(conn: Connection, request: OpenRequest) -> None:
    """Register a rollout; a second call changes nothing. Earlier chains of the same plan are over by then.

    Raises:
        ValueError: the request has no plan.
    """
    if request.plan is None:
        raise ValueError(f"no plan to register rollout {request.key.rollout_id} with")
    await conn.execute(
        _OPEN,
        request.key.rollout_id,
        request.key.chain_id,
        request.plan.model_dump(mode="json", by_alias=True),
        request.plan_digest,
        request.clock.real_start,
        request.clock.programme_start,
        request.clock.speed,
        request.decisions.value,
        request.short_words,
    )
    await conn.execute(_SUPERSEDE, request.key.rollout_id, request.key.chain_id)


async def read_plan(conn: Connection, key: RolloutKey) -> RolloutPlan | None:
    """The plan a rollout runs, None for an unknown one."""
    text = await _stored_plan(conn, key)
    return None if text is None else plan_of(text)


class ToJudge(NamedTuple):
    """What a rollout judges a snapshot with: its plan with the digest of what is stored as its plan now, what is stored
    under the snapshot's digest, if anything, and the looks before it since breaches count."""

    plan: RolloutPlan
    plan_digest: str
    snapshot: Stored | None
    past: Past


async def read_to_judge(
    conn: Connection, key: RolloutKey, digest: str, since: datetime, *, purpose: str | None = None, whole: bool = True
) -> ToJudge | None:
    """All of it by one statement; None for an unknown rollout.

    Args:
        purpose: the snapshot only if it was measured for that.
        whole: with its body; without it, whoever asks has it already, and wants to know that it is stored.
    """
    row = await conn.fetchrow(_TO_JUDGE, key.rollout_id, key.chain_id, digest, purpose, since, whole)
    if row is None:
        return None
    snapshot = None if row["as_of"] is None else Stored(digest, row["as_of"], row["body"] or "")
    return ToJudge(plan_of(row["plan"]), _digest(row["plan"]), snapshot, past_of(row))


async def _stored_plan(conn: Connection, key: RolloutKey) -> str | None:
    """As text: to make values of it and text of those again would take longer than to read it."""
    found: str | None = await conn.fetchval(
        "select plan::text from rollout where (rollout_id, chain_id) = ($1, $2)", key.rollout_id, key.chain_id
    )
    return found


async def read_rollouts(conn: Connection, keys: Sequence[RolloutKey]) -> tuple[StoredRollout, ...]:
    """These chains of rollouts, in no particular order."""
    return tuple(map(stored_of, await conn.fetch(_THESE, *_named(keys))))


def _named(keys: Sequence[RolloutKey]) -> tuple[list[str], list[str]]:
    return [key.rollout_id for key in keys], [key.chain_id for key in keys]


async def list_rollouts(conn: Connection) -> tuple[StoredRollout, ...]:
    """Every rollout, the newest first."""
    return tuple(map(stored_of, await conn.fetch(_STORED + "order by r.opened_at desc, r.chain_id")))


async def update_standing(conn: Connection, key: RolloutKey, standing: Standing, sequence: int) -> None:
    """Keep the newest standing: an older write that comes late changes nothing.

    Args:
        sequence: the newest entry of the decision log that the standing speaks of.
    """
    await conn.execute(
        _STANDING,
        key.rollout_id,
        key.chain_id,
        standing.phase,
        standing.wave,
        standing.status,
        standing.sentence,
        standing.since,
        standing.open,
        [cohort.model_dump(mode="json") for cohort in standing.watched],
        standing.tolerance_since,
        [baseline.model_dump(mode="json") for baseline in standing.baselines],
        sequence,
        *_people(standing),
    )


async def keep_standing(conn: Connection, key: RolloutKey, sequence: int) -> None:
    """The newest entries of the log have not changed where the rollout stands."""
    await conn.execute(_AS_IT_WAS, key.rollout_id, key.chain_id, sequence)


async def update_brief(conn: Connection, key: RolloutKey, standing: StandingBrief, sequence: int) -> None:
    """The same for a standing that names cohorts and evidence. To be called in a transaction.

    Raises:
        NotFrozen, UnknownBaselines: something that it names is not in the store.
    """
    row = await conn.fetchrow(
        _BRIEF,
        key.rollout_id,
        key.chain_id,
        standing.phase,
        standing.wave,
        standing.status,
        standing.sentence,
        standing.since,
        standing.open,
        list(standing.watching),
        standing.tolerance_since,
        sequence,
        *_people(standing),
    )
    if row is None:
        return
    if row["watched"] != len(standing.watching):
        raise NotFrozen(f"not all of {', '.join(standing.watching)} are frozen for {key.rollout_id} in the store")
    if standing.baselines_from is not None and standing.baselines_from != row["baselines_from"]:
        found = await baselines_from(conn, key, standing.baselines_from)
        await conn.execute(
            "update rollout set baselines = $3 where (rollout_id, chain_id) = ($1, $2)",
            key.rollout_id,
            key.chain_id,
            [one.model_dump(mode="json") for one in found],
        )


def _people(
    standing: Standing | StandingBrief,
) -> tuple[list[dict[str, Any]], list[str], str, list[dict[str, Any]]]:
    """Whom it waits for, those persons alone, what comes next, and who acts in whose place."""
    persons = {who.casefold() for one in standing.awaited for who in one.who}
    return (
        [one.model_dump(mode="json") for one in standing.awaited],
        sorted(persons),
        standing.next,
        [one.model_dump(mode="json") for one in standing.delegations],
    )


async def baselines_from(conn: Connection, key: RolloutKey, digest: str) -> tuple[Baseline, ...]:
    """The baselines that a snapshot holds, checked against its digest.

    Raises:
        UnknownBaselines: there is no such snapshot.
        EvidenceChanged: what is stored does not have this digest any more.
    """
    known = _baselines.get((key, digest))
    if known is not None:
        return _BASELINES.validate_json(zlib.decompress(known))
    measured = await read_measured(conn, key, digest)
    if measured is None:
        raise UnknownBaselines(f"no evidence {digest} in the store to take the baselines of {key.rollout_id} from")
    return remember_baselines(key, measured)


def remember_baselines(key: RolloutKey, measured: Measured) -> tuple[Baseline, ...]:
    """Have the baselines that a snapshot holds at hand, and the rows behind them: it has just been sealed, or read and
    found to be what its digest was made of. Returns the baselines."""
    frozen.remember(key, measured)
    found = baselines_of(measured.snapshot)
    # Packed: read, those of five cohorts take fifty times as much.
    _baselines[key, measured.snapshot.digest] = zlib.compress(_BASELINES.dump_json(found), 1)
    while len(_baselines) > _KNOWN:
        _baselines.popitem(last=False)
    return found


@lru_cache(maxsize=64)
def plan_of(text: str) -> RolloutPlan:
    """The plan that a column holds as text. Checking a plan's rules takes as long as measuring a metric, and the watch
    reads the same plans all day."""
    return RolloutPlan.model_validate_json(text)


def _digest(text: str) -> str:
    """Remembered by what the text hashes to: the text itself would take forty times as much."""
    name = sha256(text.encode()).digest()
    known = _digests.get(name)
    if known is None:
        known = _digests[name] = plan_of(text).digest
    _digests.move_to_end(name)
    if len(_digests) > _KNOWN:
        _digests.popitem(last=False)
    return known


@lru_cache(maxsize=64)
def _cohorts_of(text: str) -> tuple[CohortMembers, ...]:
    return _COHORTS.validate_json(text)


@lru_cache(maxsize=64)
def _baselines_of(text: str) -> tuple[Baseline, ...]:
    """What a fact concerns is looked at again with the next one, and both stand still meanwhile."""
    return _BASELINES.validate_json(text)


def delegations(rows: Sequence[Any]) -> tuple[Delegation, ...]:
    """Who acts in whose place, as a column has it."""
    return tuple(Delegation.model_validate_json(json.dumps(one)) for one in rows)


async def read_delegations(conn: Connection, key: RolloutKey) -> tuple[Delegation, ...]:
    """Who acts in whose place, as the rollout last told."""
    return delegations(
        await conn.fetchval(
            "select delegations from rollout where (rollout_id, chain_id) = ($1, $2)", key.rollout_id, key.chain_id
        )
        or ()
    )


def stored_of(row: Any) -> StoredRollout:
    """The rollout that a row with `COLUMNS` and its names holds."""
    standing = Standing(
        phase=row["phase"],
        wave=row["wave"],
        status=row["status"],
        sentence=row["sentence"],
        since=row["since"],
        open=row["open"],
        watched=_cohorts_of(row["watched"]),
        tolerance_since=row["tolerance_since"],
        baselines=_baselines_of(row["baselines"]),
        awaited=_AWAITED.validate_json(row["awaited"]),
        next=row["next"],
        delegations=_DELEGATIONS.validate_json(row["delegations"]),
    )
    # Every part has been checked just now; to check the whole would be to check the rules of its plan once more.
    return StoredRollout.model_construct(
        key=RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]),
        plan=plan_of(row["plan"]),
        plan_digest=row["plan_digest"],
        clock=ProgrammeClock(real_start=row["real_start"], programme_start=row["programme_start"], speed=row["speed"]),
        decisions=Decisions(row["decisions"]),
        standing=standing,
        short_words=row["short_words"],
        opened_at=row["opened_at"],
        updated_at=row["updated_at"],
    )
