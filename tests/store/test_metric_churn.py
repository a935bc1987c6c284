"""Partner churn: who was there at the start, who has left since, and from when that is known."""

from __future__ import annotations

import pytest

from models.metric import MetricName
from tests.store.world import Q1_END, World, at, day, window

CHURN = MetricName.PARTNER_CHURN
JANUARY, FEBRUARY = window("2026-01-01", "2026-02-01"), window("2026-02-01", "2026-03-01")


async def partner(world: World, name: str, came: str | None = "2020-01-01", left: str | None = None) -> None:
    await world.add("partner", partner_id=name, active_from=came and day(came), active_to=left and day(left), name=name)


async def test_lost_partners_are_a_share_of_those_who_were_there_at_the_start(world: World) -> None:
    for number in range(8):
        await partner(world, f"stays {number}")
    await partner(world, "never said when it came", came=None)
    await partner(world, "left", left="2026-02-15")
    await partner(world, "joined", came="2026-01-10")
    await partner(world, "came and went", came="2026-01-10", left="2026-03-01")
    await partner(world, "left before", left="2025-11-01")
    await partner(world, "to come", came="2026-05-01")
    # 1 of 8 + 1 + 1 = 10 %. Of all who were partners at any time in the window it would read 2 of 12, 16.7.
    value = await world.value(CHURN)
    assert (value.value, value.numerator, value.denominator) == (10.0, 1, 10)
    assert (value.n_partners, value.n_facts) == (10, 10)
    assert value.parts == {"at_start": 10, "lost": 1, "joined": 2, "left_before": 1}


async def test_who_never_said_when_they_came_was_there_from_the_beginning(world: World) -> None:
    await partner(world, "stays", came=None)
    await partner(world, "left long ago", came=None, left="2025-10-01")
    names = ("at_start", "lost", "joined", "left_before")
    read = {row.partner_id: tuple(row.parts[name] for name in names) for row in (await world.read(CHURN)).rows}
    assert read == {"stays": (1, 0, 0, 0), "left long ago": (0, 0, 0, 1)}


async def test_every_loss_is_counted_in_one_window_and_no_more(world: World) -> None:
    await partner(world, "stays")
    # The first day no longer a partner is the first of February: a partner all January through, and lost in it.
    await partner(world, "left", left="2026-02-01")
    # 1 of 2; then 0 of 1.
    assert (await world.value(CHURN, during=JANUARY)).value == 50.0
    february = await world.value(CHURN, during=FEBRUARY)
    assert (february.value, february.denominator, february.parts["left_before"]) == (0.0, 1, 1)


async def test_who_leaves_in_the_window_stays_in_the_denominator(world: World) -> None:
    await partner(world, "left", left="2026-01-20")
    await partner(world, "stays")
    # 1 of 2. Left out once gone, it would be 1 of 1.
    assert (await world.value(CHURN)).denominator == 2


async def test_nobody_is_lost_before_it_has_happened(world: World) -> None:
    await partner(world, "gave notice", left="2026-03-15")
    await partner(world, "stays")
    for moment, lost in (("2026-03-14 23:59", 0.0), ("2026-03-15", 50.0)):
        value = await world.value(CHURN, during=window("2026-01-01", moment), as_of=at(moment))
        assert value.value == lost, moment
    # A window that ends later than the moment asked for does not look ahead either.
    assert (await world.value(CHURN, as_of=at("2026-03-14"))).value == 0.0


async def test_a_leaving_counts_only_from_when_it_is_known(world: World) -> None:
    await partner(world, "stays")
    await partner(world, "a")
    await world.amend("partner", "a", "2026-04-05", active_to=day("2026-03-01"))
    # Known on 5 April to have left on 1 March.
    moments = ("2026-04-04", "2026-04-05")
    assert [(await world.value(CHURN, as_of=at(moment))).value for moment in moments] == [0.0, 50.0]


async def test_nobody_at_the_start_is_no_value_and_not_zero(world: World) -> None:
    await partner(world, "joined", came="2026-02-01")
    value = await world.value(CHURN)
    assert (value.value, value.reason, value.numerator, value.denominator) == (None, "nobody_at_start", 0, 0)


async def test_nobody_lost_is_zero_and_not_absence(world: World) -> None:
    await partner(world, "stays")
    assert ((await world.value(CHURN)).value, (await world.value(CHURN)).reason) == (0.0, None)


async def test_a_group_is_the_ratio_of_sums(world: World) -> None:
    await partner(world, "left", left="2026-02-01")
    for number in range(3):
        await partner(world, f"stays {number}")
    # 1 of 4. Each partner by itself is 0 or 100.
    assert (await world.value(CHURN)).value == 25.0
    assert (await world.reading(CHURN, "left")).numerator == 1


@pytest.mark.parametrize(("moment", "reach"), [("2026-01-31", "2026-01-10"), ("2026-03-10", "2026-03-01")])
async def test_the_list_of_partners_reaches_to_its_latest_change(world: World, moment: str, reach: str) -> None:
    await world.add("partner", partner_id="a", known_at=at("2026-01-10"))
    await world.add("partner", partner_id="b", known_at=at("2026-01-05"))
    await world.amend("partner", "b", "2026-03-01", tier="gold")
    await world.add("partner", partner_id="c", known_at=Q1_END)
    assert (await world.read(CHURN, "a", as_of=at(moment))).data_through == at(reach)


async def test_an_import_that_takes_every_row_confirms_the_list_also_where_it_changes_nothing(world: World) -> None:
    await world.add("partner", partner_id="a", known_at=at("2026-01-10"))
    for moment, kind, rejected, origin, why in (
        ("2026-02-01", "partners", 0, "file", None),
        ("2026-02-20", "partners", 1, "file", None),  # a row was set aside: it may be the one that left
        ("2026-03-01", "partners", 0, "file", "the file broke off"),
        ("2026-03-05", "partners", 0, "before the ledger", None),  # when nobody knows
        ("2026-03-10", "leads", 0, "file", None),
    ):
        run = {"kind": kind, "origin": origin, "outcome": "refused" if why else "taken", "why": why}
        counts = {"rows_read": 5, "rows_rejected": rejected, "rows_unchanged": 5 - rejected, "seconds": 1}
        row = {"source": "test", "imported_at": at(moment), **run, **counts}
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        insert = f"insert into intake_run ({', '.join(row)}) values ({places})"  # noqa: S608 - the test's own names
        await world.conn.execute(insert, *row.values())
    moments = ("2026-01-31", "2026-02-01", "2026-03-31")
    reach = [(await world.read(CHURN, "a", as_of=at(moment))).data_through for moment in moments]
    assert reach == [at("2026-01-10"), at("2026-02-01"), at("2026-02-01")]
