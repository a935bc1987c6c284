"""Cohorts and who is enrolled: resolved once and frozen, enrolled and withdrawn partner by partner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from models.base import Frozen
from models.plan import CohortSpec, Selector
from models.rollout import CohortMembers, members_digest
from models.work import EnrolRequest, RolloutKey
from store.pool import Connection
from store.statements import statement

_UNKNOWN = statement("rollouts/unknown_partners")
_SELECT = statement("rollouts/select_partners")
_FREEZE = statement("rollouts/freeze_cohort")
_ENROL = statement("rollouts/enrol")
_NOT_ENROLLED = statement("rollouts/not_enrolled")
_WITHDRAW = statement("rollouts/withdraw")
_ENROLLED_AT = statement("rollouts/enrolled_at")

Enrolled: TypeAlias = Mapping[str | None, datetime]
"""When each cohort of a rollout was enrolled, by name; None names when its baselines were measured."""


class NotRegistered(Exception):
    """The store does not know the rollout."""


class RolloutOver(Exception):
    """The rollout has ended: nobody is enrolled any more."""


class NotFrozen(Exception):
    """The store has no cohorts of that name for the rollout, or not yet."""


class CohortsChanged(Exception):
    """The members that the store has are not those that were frozen."""


class NotEnrolled(Exception):
    """Partners who could not be enrolled: they were withdrawn in this phase, or belong to another cohort."""


class Change(Frozen):
    """How many partners are in (or out) now, and how many of them this very call moved."""

    partners: int
    changed: int


async def unknown_partners(conn: Connection, partners: Sequence[str]) -> tuple[str, ...]:
    """Those of the ids that no partner has."""
    return tuple(row["id"] for row in await conn.fetch(_UNKNOWN, list(partners)))


async def select_partners(conn: Connection, selector: Selector, as_of: datetime) -> tuple[str, ...]:
    """Active partners known at `as_of` that a selector takes, in order of id; its limit is not applied here."""
    rows = await conn.fetch(_SELECT, list(selector.tier), list(selector.region), list(selector.type), as_of)
    return tuple(row["partner_id"] for row in rows)


async def resolve(conn: Connection, specs: Sequence[CohortSpec], as_of: datetime) -> tuple[CohortMembers, ...]:
    """The members of each cohort; a partner belongs to the first cohort that takes it."""
    taken: set[str] = set()
    cohorts = []
    for spec in specs:
        found = spec.partners if spec.select is None else await select_partners(conn, spec.select, as_of)
        free = [partner for partner in dict.fromkeys(found) if partner not in taken]
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
        _FREEZE,
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


async def members_of(
    conn: Connection, key: RolloutKey, cohorts: Sequence[str | CohortMembers], digest: str | None
) -> tuple[CohortMembers, ...]:
    """The members of cohorts that are named, as they were frozen; cohorts that come with their members are as they are.

    Args:
        digest: of all frozen cohorts with their members; without one nothing is known by name.

    Raises:
        NotFrozen: a cohort is not in the store.
        CohortsChanged: the store has other members than were frozen.
    """
    named = [one for one in cohorts if isinstance(one, str)]
    frozen = {one.name: one for one in await frozen_cohorts(conn, key)} if named else {}
    missing = [name for name in named if name not in frozen]
    if missing:
        raise NotFrozen(f"rollout {key.rollout_id} has no frozen cohort {', '.join(missing)} in the store")
    if named and members_digest(tuple(frozen.values())) != digest:
        raise CohortsChanged(f"the cohorts of {key.rollout_id} in the store are not those that were frozen")
    return tuple(frozen[one] if isinstance(one, str) else one for one in cohorts)


async def enrol(conn: Connection, request: EnrolRequest) -> Change:
    """Put a cohort's partners under the new rule, all of them or nobody. To be called in a transaction.

    Raises:
        NotRegistered, RolloutOver: nobody may be enrolled.
        NotFrozen, CohortsChanged: whom to enrol is not known.
        NotEnrolled: some partners could not be.
    """
    await _must_be_open(conn, request.key)
    [cohort] = await members_of(conn, request.key, (request.cohort,), request.cohorts_digest)
    partners = list(dict.fromkeys(cohort.partners))
    rows = await conn.fetch(
        _ENROL,
        request.key.rollout_id,
        request.key.chain_id,
        request.phase,
        request.wave or 0,
        cohort.name,
        request.at,
        partners,
    )
    missing = await conn.fetch(_NOT_ENROLLED, request.key.rollout_id, request.key.chain_id, cohort.name, partners)
    if missing:
        names = ", ".join(row["id"] for row in missing[:10])
        raise NotEnrolled(f"{len(missing)} partners of {cohort.name} could not be enrolled: {names}")
    return Change(partners=len(partners), changed=len(rows))


async def withdraw(conn: Connection, request: EnrolRequest) -> Change:
    """Take a cohort's partners back: whoever was enrolled for it, and is not withdrawn yet."""
    name = cohort_name(request)
    rows = await conn.fetch(_WITHDRAW, request.key.rollout_id, request.key.chain_id, name, request.at)
    out = await conn.fetchval(
        "select count(distinct partner_id) from enrolment where (rollout_id, chain_id, cohort) = ($1, $2, $3)",
        request.key.rollout_id,
        request.key.chain_id,
        name,
    )
    return Change(partners=out, changed=len(rows))


def cohort_name(request: EnrolRequest) -> str:
    """The name of the cohort that a request is about."""
    return request.cohort if isinstance(request.cohort, str) else request.cohort.name


async def _must_be_open(conn: Connection, key: RolloutKey) -> None:
    """The lock keeps the rollout from being closed until the enrolment is committed."""
    is_open = await conn.fetchval(
        "select open from rollout where (rollout_id, chain_id) = ($1, $2) for share", key.rollout_id, key.chain_id
    )
    if is_open is None:
        raise NotRegistered(f"rollout {key.rollout_id} is not registered in the store")
    if not is_open:
        raise RolloutOver(f"rollout {key.rollout_id} is over: nobody is enrolled any more")


async def enrolled_at(
    conn: Connection, asked: Sequence[tuple[RolloutKey, datetime]]
) -> dict[RolloutKey, dict[str | None, datetime]]:
    """When the cohorts of rollouts were enrolled, as of a moment of each; those withdrawn since then as well."""
    rows = await conn.fetch(
        _ENROLLED_AT,
        [key.rollout_id for key, _ in asked],
        [key.chain_id for key, _ in asked],
        [as_of for _, as_of in asked],
    )
    found: dict[RolloutKey, dict[str | None, datetime]] = {key: {} for key, _ in asked}
    for row in rows:
        found[RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"])][row["cohort"]] = row["since"]
    return found
