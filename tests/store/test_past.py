"""A metric's past in blocks: days that add up to what a window reads, and states as they were known then."""

from __future__ import annotations

from datetime import timedelta

from judgement.values import group_value
from models.evidence import Window
from models.metric import MetricName
from store.metrics import read_rows
from store.past import read_days, read_months, read_states
from tests.store.test_metric_compliance import check
from tests.store.world import World, at

SLA, SCORE, MARGIN = MetricName.LEAD_FOLLOW_UP_SLA, MetricName.COMPLIANCE_SCORE, MetricName.CONTRIBUTION_MARGIN
NOW = at("2026-03-20 15:00")


async def _lead(world: World, partner: str, day: str, *, met: bool) -> None:
    await world.add(
        "lead",
        partner_id=partner,
        assigned_at=at(f"{day} 08:00"),
        contact_due_at=at(f"{day} 18:00"),
        first_contact_at=at(f"{day} 10:00") if met else None,
        known_at=at(f"{day} 08:01"),
    )


async def test_days_of_whole_weeks_end_with_the_newest_fact_and_add_up_to_what_their_window_reads(world: World) -> None:
    for partner in ("A", "B", "C"):
        await world.add("partner", partner_id=partner)
    for day in range(1, 15):
        await _lead(world, "A", f"2026-02-{day:02d}", met=day % 3 > 0)
        if day % 2:
            await _lead(world, "B", f"2026-02-{day:02d}", met=True)
    found = await read_days(world.conn, SLA, (["A"], ["B", "C"]), weeks=3, settled=timedelta(days=5), as_of=NOW)
    window = Window(start=at("2026-01-25"), end=at("2026-02-15"))
    whole = await read_rows(world.conn, SLA, (["A"], ["B", "C"]), window=window, as_of=NOW)
    assert found.end == at("2026-02-15")
    assert len(found.blocks) == 21
    # The first week has none, and of each day there is one.
    assert [sum(row.facts for row in block[0]) for block in found.blocks] == [0] * 7 + [1] * 14
    for group in (0, 1):
        together = [row for block in found.blocks for row in block[group]]
        assert group_value(SLA, together).value == group_value(SLA, whole[group]).value


async def test_days_younger_than_it_takes_for_facts_to_be_complete_are_left_out(world: World) -> None:
    await world.add("partner", partner_id="A")
    for day in range(1, 21):
        await _lead(world, "A", f"2026-03-{day:02d}", met=True)
    found = await read_days(world.conn, SLA, (["A"],), weeks=1, settled=timedelta(days=5), as_of=NOW)
    assert found.end == at("2026-03-15")


async def test_without_any_fact_there_is_no_past(world: World) -> None:
    await world.add("partner", partner_id="A")
    days = await read_days(world.conn, SLA, (["A"],), weeks=2, settled=timedelta(days=5), as_of=NOW)
    states = await read_states(world.conn, SCORE, (["A"],), weeks=2, window=timedelta(days=90), as_of=NOW)
    assert (days.blocks, days.end, states.blocks, states.end) == ((), None, (), None)


async def test_states_are_read_a_week_apart_as_they_were_known_then(world: World) -> None:
    await world.add("partner", partner_id="A")
    await check(world, "policy")
    for assessed, known, outcome in (
        ("2026-02-20", "2026-02-20", "fail"),
        # Two weeks late: until then nobody knew that it had passed.
        ("2026-02-25", "2026-03-12", "pass"),
        ("2026-03-17 10:00", "2026-03-17 10:00", "pass"),
    ):
        await world.add(
            "compliance_result",
            partner_id="A",
            check_id="policy",
            version=1,
            outcome=outcome,
            assessed_at=at(assessed),
            valid_until=at("2027-01-01").date(),
            known_at=at(known),
        )
    told: list[int] = []
    found = await read_states(
        world.conn,
        SCORE,
        (["A"],),
        weeks=4,
        window=timedelta(days=90),
        as_of=NOW,
        done=lambda: told.append(1),
    )
    assert found.end == at("2026-03-18")
    assert [block[0][0].numerator for block in found.blocks] == [0, 0, 0, 100]
    assert len(told) == 4


async def test_months_are_those_between_their_first_moments(world: World) -> None:
    await world.add("partner", partner_id="A")
    for day in ("2026-01-31", "2026-02-01", "2026-02-28"):
        await _lead(world, "A", day, met=True)
    months = [at(f"{year}-{month:02d}-01") for year in (2025, 2026) for month in range(1, 13)][:15]
    found = await read_months(world.conn, SLA, ["A"], months, state=False)
    # Three months before them have none, and further back nobody looks.
    assert {start.strftime("%Y-%m"): sum(row.facts for row in rows) for start, rows in found.items()} == {
        "2025-10": 0,
        "2025-11": 0,
        "2025-12": 0,
        "2026-01": 1,
        "2026-02": 2,
    }
