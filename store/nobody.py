"""Cohorts of a plan that nobody is in, found before a rollout is started that would wait for them for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeAlias

import asyncpg

from models.base import Frozen
from models.plan import CohortSpec, RolloutPlan
from store.enrolments import resolve, select_partners
from store.pool import Connection
from store.statements import statement

_KNOWN = statement("rollouts/attributes_known")

MOST_TOLD = 12
"""Values named of one attribute."""

Rows: TypeAlias = Sequence[asyncpg.Record]


class Nobody(Frozen):
    """A cohort without a partner: `field` is its dotted path in the plan. With the `first` one nothing can begin; to a
    later one partners may still come before cohorts are frozen."""

    field: str
    first: bool
    found: str
    allowed: str

    @property
    def told(self) -> str:
        """What is wrong, without where."""
        return f"found {self.found}; allowed: {self.allowed}"

    def __str__(self) -> str:
        return f"{self.field}: {self.told}"


async def nobody_in(conn: Connection, plan: RolloutPlan, as_of: datetime) -> tuple[Nobody, ...]:
    """The cohorts that would be empty if they were resolved as of a moment, by what was known then. A plan that names
    its partners is not looked up: whoever is unknown holds it by name."""
    specs = plan.cohort_specs()
    if all(one.select is None for one in specs):
        return ()
    members = await resolve(conn, specs, as_of)
    empty = [(field, spec) for (field, spec), one in zip(_fields(plan), members, strict=True) if not one.partners]
    if not empty:
        return ()
    known = await conn.fetch(_KNOWN, as_of)
    return tuple([await _nobody(conn, field, spec, as_of, known) for field, spec in empty])


def _fields(plan: RolloutPlan) -> Iterator[tuple[str, CohortSpec]]:
    """In the order of `cohort_specs`."""
    yield "cohorts.pilot", plan.cohorts.pilot
    if plan.cohorts.control is not None:
        yield "cohorts.control", plan.cohorts.control
    for index, wave in enumerate(plan.cohorts.waves):
        yield f"cohorts.waves.{index}", wave


async def _nobody(conn: Connection, field: str, spec: CohortSpec, as_of: datetime, known: Rows) -> Nobody:
    select = spec.select
    taken = len(spec.partners) if select is None else len(await select_partners(conn, select, as_of))
    of_whom = f"0 partners for {spec.name} as of {as_of:%Y-%m-%d}"
    if taken:
        verb = "selects" if select is not None else "names"
        found, allowed = (
            f"{of_whom}: cohorts before it take all {taken} that it {verb}",
            "partners of no cohort before it",
        )
    else:
        found, allowed = of_whom, _allowed(spec, known)
    place = f"{field}.{'partners' if select is None else 'select'}"
    return Nobody(field=place, first=field == "cohorts.pilot", found=found, allowed=allowed)


def _allowed(spec: CohortSpec, known: Rows) -> str:
    partners = sum(row["partners"] for row in known)
    if not partners or spec.select is None:
        return "active partners, of whom none is known by then: import them first, or begin later"
    asked = [name for name in ("tier", "region", "type") if getattr(spec.select, name)]
    there = "; ".join(f"{name} {_some(sorted({row[name] for row in known if row[name]}))}" for name in asked)
    return f"what some of the {partners} active partners known by then have: {there}"


def _some(values: Sequence[str]) -> str:
    more = len(values) - MOST_TOLD
    return (", ".join(values[:MOST_TOLD]) or "none") + (f" and {more} more" if more > 0 else "")
