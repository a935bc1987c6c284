"""Rollouts in the store: their plan, standing and frozen cohorts, and the partners they enrolled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from models.base import Frozen, Instant
from models.clock import ProgrammeClock
from models.evidence import Baseline
from models.plan import CohortSpec, RolloutPlan, Selector
from models.rollout import CohortMembers
from models.work import EnrolRequest, OpenRequest, RolloutKey, Standing
from store.pool import Connection


class StoredRollout(Frozen):
    """A rollout as lists show it and the watch needs it."""

    key: RolloutKey
    plan: RolloutPlan
    plan_digest: str
    clock: ProgrammeClock
    standing: Standing
    opened_at: Instant
    updated_at: Instant


async def open_rollout(conn: Connection, request: OpenRequest) -> None:
    """Register a rollout; a second call changes nothing."""
    await conn.execute(
        "insert into rollout (rollout_id, chain_id, plan, plan_digest, real_start, programme_start, speed, since) "
        "values ($1, $2, $3, $4, $5, $6, $7, $6) on conflict do nothing",
        request.key.rollout_id,
        request.key.chain_id,
        request.plan.model_dump(mode="json", by_alias=True),
        request.plan_digest,
        request.clock.real_start,
        request.clock.programme_start,
        request.clock.speed,
    )


async def read_plan(conn: Connection, key: RolloutKey) -> RolloutPlan | None:
    """The plan a rollout runs, None for an unknown one."""
    body = await conn.fetchval(
        "select plan from rollout where (rollout_id, chain_id) = ($1, $2)", key.rollout_id, key.chain_id
    )
    return RolloutPlan.model_validate_json(json.dumps(body)) if body is not None else None


async def open_rollouts(conn: Connection) -> tuple[StoredRollout, ...]:
    """Every rollout that is not over, the oldest first."""
    return tuple(_stored(row) for row in await conn.fetch("select * from rollout where open order by opened_at"))


async def list_rollouts(conn: Connection) -> tuple[StoredRollout, ...]:
    """Every rollout, the newest first."""
    return tuple(_stored(row) for row in await conn.fetch("select * from rollout order by opened_at desc"))


async def get_rollout(conn: Connection, rollout_id: str) -> StoredRollout | None:
    """The newest chain of a rollout."""
    row = await conn.fetchrow("select * from rollout where rollout_id = $1 order by opened_at desc limit 1", rollout_id)
    return _stored(row) if row else None


async def update_standing(conn: Connection, key: RolloutKey, standing: Standing, sequence: int) -> None:
    """Keep the newest standing: an older write that comes late changes nothing."""
    await conn.execute(
        "update rollout set phase = $3, wave = $4, status = $5, sentence = $6, since = $7, open = $8, watched = $9, "
        "tolerance_since = $10, baselines = $11, sequence = $12, updated_at = now() "
        "where (rollout_id, chain_id) = ($1, $2) and sequence <= $12",
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
    )


def _stored(row: Any) -> StoredRollout:
    standing = Standing(
        phase=row["phase"],
        wave=row["wave"],
        status=row["status"],
        sentence=row["sentence"],
        since=row["since"],
        open=row["open"],
        watched=tuple(CohortMembers.model_validate_json(json.dumps(one)) for one in row["watched"]),
        tolerance_since=row["tolerance_since"],
        baselines=tuple(Baseline.model_validate_json(json.dumps(one)) for one in row["baselines"]),
    )
    return StoredRollout(
        key=RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]),
        plan=RolloutPlan.model_validate_json(json.dumps(row["plan"])),
        plan_digest=row["plan_digest"],
        clock=ProgrammeClock(real_start=row["real_start"], programme_start=row["programme_start"], speed=row["speed"]),
        standing=standing,
        opened_at=row["opened_at"],
        updated_at=row["updated_at"],
    )


async def unknown_partners(conn: Connection, partners: Sequence[str]) -> tuple[str, ...]:
    """Those of the ids that no partner has."""
    rows = await conn.fetch(
        "select id from unnest($1::text[]) id where not exists (select from partner where partner_id = id) order by id",
        list(partners),
    )
    return tuple(row["id"] for row in rows)


async def select_partners(conn: Connection, selector: Selector, as_of: datetime) -> tuple[str, ...]:
    """Active partners known at `as_of` that a selector takes, in order of id; the limit is not applied here."""
    rows = await conn.fetch(
        "select partner_id from partner where known_at <= $4 "
        "and (active_from is null or active_from <= $4::date) and (active_to is null or active_to > $4::date) "
        "and (cardinality($1::text[]) = 0 or tier = any($1)) "
        "and (cardinality($2::text[]) = 0 or region = any($2)) "
        "and (cardinality($3::text[]) = 0 or type = any($3)) order by partner_id",
        list(selector.tier),
        list(selector.region),
        list(selector.type),
        as_of,
    )
    return tuple(row["partner_id"] for row in rows)


async def resolve(conn: Connection, specs: Sequence[CohortSpec], as_of: datetime) -> tuple[CohortMembers, ...]:
    """The members of each cohort; a partner belongs to the first cohort that takes it."""
    taken: set[str] = set()
    cohorts = []
    for spec in specs:
        found = spec.partners if spec.select is None else await select_partners(conn, spec.select, as_of)
        free = [partner for partner in found if partner not in taken]
        if spec.select is not None and spec.select.limit is not None:
            free = free[: spec.select.limit]
        taken.update(free)
        cohorts.append(CohortMembers(name=spec.name, partners=tuple(free)))
    return tuple(cohorts)


async def freeze_cohorts(
    conn: Connection, key: RolloutKey, cohorts: Sequence[CohortMembers], at: datetime
) -> tuple[CohortMembers, ...]:
    """Keep resolved cohorts; what was frozen before stays and is given back."""
    await conn.executemany(
        "insert into rollout_cohort (rollout_id, chain_id, position, name, partners, resolved_at) "
        "values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        [
            (key.rollout_id, key.chain_id, position, one.name, list(one.partners), at)
            for position, one in enumerate(cohorts)
        ],
    )
    return await frozen_cohorts(conn, key)


async def frozen_cohorts(conn: Connection, key: RolloutKey) -> tuple[CohortMembers, ...]:
    """The cohorts frozen for a rollout, none before they are."""
    rows = await conn.fetch(
        "select name, partners from rollout_cohort where (rollout_id, chain_id) = ($1, $2) order by position",
        key.rollout_id,
        key.chain_id,
    )
    return tuple(CohortMembers(name=row["name"], partners=tuple(row["partners"])) for row in rows)


async def enrol(conn: Connection, request: EnrolRequest) -> int:
    """Put a cohort's partners under the new rule; returns how many were not yet."""
    rows = await conn.fetch(
        "insert into enrolment (rollout_id, chain_id, phase, wave, partner_id, cohort, enrolled_at) "
        "select $1, $2, $3, $4, id, $5, $6 from unnest($7::text[]) id on conflict do nothing returning partner_id",
        request.key.rollout_id,
        request.key.chain_id,
        request.phase,
        request.wave or 0,
        request.cohort.name,
        request.at,
        list(request.cohort.partners),
    )
    return len(rows)


async def withdraw(conn: Connection, request: EnrolRequest) -> int:
    """Take a cohort's partners back; returns how many were still enrolled."""
    rows = await conn.fetch(
        "update enrolment set withdrawn_at = greatest($4, enrolled_at) where (rollout_id, chain_id) = ($1, $2) "
        "and cohort = $3 and withdrawn_at is null returning partner_id",
        request.key.rollout_id,
        request.key.chain_id,
        request.cohort.name,
        request.at,
    )
    return len(rows)
