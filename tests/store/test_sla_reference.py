"""The SLA that is read in one pass is what a plainer statement says, whatever happens to the leads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from models.evidence import LeadDriver, PartnerReading, Window
from models.metric import MetricName
from store.metrics import STATEMENT_SECONDS, planned, read_drivers, read_rows, read_sla
from tests.store.leads import BEGINS, ENDS, PARTNERS, fill
from tests.store.world import World

_HERE = Path(__file__).parent
_PARTS = (_HERE.parents[1] / "bench/sql/scale/lead_states.sql", _HERE / "sla_reference.sql")
REFERENCE = "".join(part.read_text(encoding="utf-8") for part in _PARTS)
SLA = MetricName.LEAD_FOLLOW_UP_SLA
GROUPS = (("a", "b", "c"), ("c", "d"), ("e",), (), ("nobody",), ("a", "f", "a"), PARTNERS)

Groups = Sequence[Sequence[str]]


def moments(chance: Random) -> tuple[datetime, ...]:
    """Midnights and full hours are where deadlines and windows end."""
    return (ENDS, *(BEGINS + timedelta(hours=chance.randrange(24, 60 * 24)) for _ in range(3)))


async def reference(
    world: World, groups: Groups, window: Window, as_of: datetime, limit: int
) -> tuple[list[list[dict[str, Any]]], list[list[LeadDriver]]]:
    """Of each group the columns of its partners, and the leads behind its breach."""
    numbered = [(number, partner) for number, group in enumerate(groups) for partner in dict.fromkeys(group)]
    asked = [number for number, _ in numbered], [partner for _, partner in numbered]
    found = await world.conn.fetch(REFERENCE, *asked, window.start, window.end, as_of, limit, timeout=STATEMENT_SECONDS)
    rows: list[list[dict[str, Any]]] = [[] for _ in groups]
    leads: list[list[tuple[int, LeadDriver]]] = [[] for _ in groups]
    for row in found:
        columns = dict(row)
        listed = [columns.pop(name) or () for name in ("ranks", "lead_ids", "due_ats", "states")]
        number = columns.pop("group_no")
        rows[number].append({name: value for name, value in columns.items() if value is not None})
        leads[number] += [
            (rank, LeadDriver(partner_id=row["partner_id"], lead_id=one, due_at=due_at, state=state))
            for rank, one, due_at, state in zip(*listed, strict=True)
        ]
    return rows, [[one for _, one in sorted(of_group, key=lambda pair: pair[0])] for of_group in leads]


def shown(readings: Sequence[PartnerReading]) -> list[dict[str, Any]]:
    """A reading as the columns it was made of."""
    named = ("partner_id", "numerator", "denominator", "facts")
    return [{**{name: getattr(one, name) for name in named}, **one.parts} for one in readings]


@pytest.mark.parametrize("seed", range(12))
async def test_the_sla_is_to_the_last_digit_what_the_plainer_statement_says(world: World, seed: int) -> None:
    chance = Random(seed)
    await fill(world, chance)
    states, timed = 0, 0
    for as_of in moments(chance):
        length = timedelta(days=chance.choice((7, 28, 60)))
        window = Window(start=as_of - length, end=as_of if chance.random() < 0.7 else as_of - timedelta(days=2))
        limit = chance.choice((3, 20))
        rows, leads = await reference(world, GROUPS, window, as_of, limit)
        async with world.conn.transaction(), planned(world.conn):
            read, behind, _ = await read_sla(world.conn, GROUPS, window=window, as_of=as_of, limit=limit)
        assert [shown(one) for one in read] == rows
        assert [list(one) for one in behind] == leads
        assert await read_rows(world.conn, SLA, GROUPS, window=window, as_of=as_of) == read
        assert await read_drivers(world.conn, GROUPS, window=window, as_of=as_of, limit=limit) == behind
        states += sum(bool(row["late"] and row["excluded"] and row["met"]) for row in rows[-1])
        timed += any("contact_business_hours_median" in row for row in rows[-1])
    assert states
    assert timed
