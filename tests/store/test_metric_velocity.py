"""Pipeline velocity: the four parts of its formula, which deals count, and from when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.metric import MetricName
from store.metrics import read_metrics
from tests.store.world import Q1, Q1_END, World, at, day, window

VELOCITY = MetricName.PIPELINE_VELOCITY


async def deal(
    world: World,
    outcome: str | None = "won",
    amount: float = 100,
    cycle: float = 10,
    closed: str = "2026-02-20",
    partner: str = "a",
    **row: Any,
) -> str:
    """An opportunity of `cycle` days that closed on a given day; open since then when it has no outcome."""
    row.setdefault("qualified_at", at(closed) - timedelta(days=cycle))
    if outcome:
        row |= {"outcome": outcome, "closed_at": at(closed)}
    return await world.add("opportunity", partner_id=partner, amount=amount, **row)


async def test_the_four_parts_multiply_to_the_value(world: World) -> None:
    for amount, cycle in ((100, 10), (200, 20), (300, 30)):
        await deal(world, "won", amount, cycle)
    await deal(world, "lost", 9999, 400)
    # 4 opportunities x 75 % x 200 / 20 days = 30 a day.
    value = await world.value(VELOCITY)
    assert value.value == pytest.approx(30.0)
    assert (value.n_facts, value.parts["opportunities"], value.parts["win_rate"]) == (4, 4, 75.0)
    assert (value.parts["average_won_value"], value.parts["mean_cycle_days"]) == (200, 20)


async def test_no_close_yet_is_no_value(world: World) -> None:
    await deal(world, None)
    value = await world.value(VELOCITY)
    assert (value.value, value.reason, value.n_facts) == (None, "no_closed_deals", 0)


async def test_only_lost_deals_are_zero(world: World) -> None:
    await deal(world, "lost")
    value = await world.value(VELOCITY)
    assert (value.value, value.reason, value.n_facts) == (0.0, None, 1)


async def test_a_cycle_lasts_one_day_at_least(world: World) -> None:
    await deal(world, "won", 100, cycle=0)
    await deal(world, "won", 100, cycle=0.25)
    # 2 x 100 % x 100 / 1 day.
    value = await world.value(VELOCITY)
    assert value.value == pytest.approx(200.0)
    assert (value.parts["cycle_median_days"], value.parts["cycle_p75_days"]) == (1, 1)
    for _ in range(98):
        await deal(world, "lost", cycle=0.25)
    # A day old and half a day: 99 in a hundred closed after a day, as every cycle lasts one at least.
    for hours in (12, 24):
        await deal(world, None, qualified_at=Q1_END - timedelta(hours=hours))
    assert (await world.reading(VELOCITY, "a")).parts["stale_open"] == 0


async def test_a_group_follows_from_the_summed_parts(world: World) -> None:
    await deal(world, "won", 100, 10, partner="fast")
    await deal(world, "lost", partner="fast")
    await deal(world, "won", 900, 90, partner="slow")
    # Together 3 x 2/3 x 500 / 50 = 20 a day; apart 10 each: 2 x 1/2 x 100 / 10 and 1 x 1 x 900 / 90.
    assert (await world.value(VELOCITY)).value == pytest.approx(20.0)
    for partner in ("fast", "slow"):
        reading = await world.reading(VELOCITY, partner)
        assert reading.numerator is not None
        assert reading.denominator is not None
        assert reading.numerator / reading.denominator == pytest.approx(10.0)


async def test_open_deals_are_counted_and_never_taken_as_lost(world: World) -> None:
    await deal(world, "won", 100, 10)
    await deal(world, None, closed="2026-03-20")
    value = await world.value(VELOCITY)
    assert value.value == pytest.approx(10.0)
    assert (value.parts["open"], value.parts["stale_open"]) == (1, 0)


async def test_idle_and_overage_deals_are_flagged_as_stale(world: World) -> None:
    active: dict[str, Any] = {"last_activity_at": at("2026-03-31")}
    await deal(world, None, qualified_at=at("2026-01-31"))  # idle for 60 days: not yet
    await deal(world, None, qualified_at=at("2026-01-30"))  # idle for 61 days
    await deal(world, None, qualified_at=at("2025-12-22"), **active)  # 100 days old
    await deal(world, None, qualified_at=at("2025-12-21"), **active)  # 101 days old
    await deal(world, None, qualified_at=at("2025-12-22 23:50"), **active)  # 99 days and ten minutes old
    await deal(world, None, qualified_at=at("2025-01-01"))  # idle, and older than any: stale once
    # In the window and before it; what was cancelled never closed.
    await deal(world, "cancelled", cycle=400, closed="2025-12-31")
    for cycle in range(1, 100):
        await deal(world, "lost", cycle=cycle, closed="2026-01-01" if cycle % 2 else "2025-12-31")
    # Of 99 closed deals nobody knows yet how old one in a hundred is.
    parts = (await world.reading(VELOCITY, "a")).parts
    assert (parts["open"], parts["stale_open"]) == (6, 2)
    # Of 1 to 100 days the 99th percentile is 99 days and fourteen minutes, of 1 to 101 it is 100 days.
    for cycle, stale in ((100, 4), (101, 3)):
        await deal(world, "lost", cycle=cycle, closed="2026-01-01")
        parts = (await world.reading(VELOCITY, "a")).parts
        assert (parts["open"], parts["stale_open"]) == (6, stale)


async def test_a_deal_is_old_beside_those_of_the_group_it_is_asked_for_with(world: World) -> None:
    await deal(world, None, qualified_at=at("2025-12-01"), last_activity_at=at("2026-03-31"))
    for cycle in range(1, 101):
        await deal(world, "lost", cycle=cycle, closed="2026-01-01", partner="b")
    alone, beside = await read_metrics(world.conn, VELOCITY, (("a",), ("a", "b")), window=Q1, as_of=Q1_END)
    assert [row.parts["stale_open"] for row in alone.rows] == [0]
    assert [row.parts["stale_open"] for row in beside.rows] == [1, 0]


async def test_what_happens_to_a_deal_after_the_moment_keeps_it_from_being_stale_only_then(world: World) -> None:
    await deal(world, None, qualified_at=at("2026-01-01"), last_activity_at=at("2026-03-20"))
    # On 15 March nothing has happened for 73 days; on 1 April for 12.
    assert (await world.reading(VELOCITY, "a", as_of=at("2026-03-15"))).parts["stale_open"] == 1
    assert (await world.reading(VELOCITY, "a")).parts["stale_open"] == 0


async def test_cancelled_duplicate_unqualified_and_influenced_deals_are_out(world: World) -> None:
    await deal(world, "won", 100, 10)
    await deal(world, "cancelled", 1000)
    await deal(world, "duplicate", 1000)
    await deal(world, "won", 1000, qualified_at=None)
    await deal(world, "won", 1000, origin="influenced")
    await deal(world, "won", 1000, qualified_at=at("2026-02-21"))  # closed before it was qualified
    value = await world.value(VELOCITY)
    assert value.value == pytest.approx(10.0)
    names = ("cancelled", "duplicate", "unqualified", "influenced", "invalid")
    assert [value.parts[name] for name in names] == [1, 1, 1, 1, 1]


async def test_the_last_close_of_a_reopened_deal_counts(world: World) -> None:
    reopened = await deal(world, "won", 300, cycle=60, closed="2026-03-02", qualified_at=at("2026-01-01"))
    await world.add(
        "opportunity_reopening",
        opportunity_id=reopened,
        closed_at=at("2026-01-21"),
        outcome="won",
        amount=100,
        reopened_at=at("2026-02-05"),
        known_at=at("2026-01-21"),
    )
    # Before: won for 100 in 20 days. Reopened: open. Then won for 300 in 60 days.
    first = await world.value(VELOCITY, as_of=at("2026-02-04"))
    assert (first.value, first.parts["won_value"], first.parts["open"]) == (pytest.approx(5.0), 100, 0)
    between = await world.value(VELOCITY, as_of=at("2026-02-05"))
    assert (between.reason, between.parts["open"]) == ("no_closed_deals", 1)
    last = await world.value(VELOCITY, as_of=at("2026-03-02"))
    assert (last.value, last.parts["won_value"], last.n_facts) == (pytest.approx(5.0), 300, 1)


async def test_a_close_that_was_undone_does_not_count_though_the_row_of_the_deal_still_says_it(world: World) -> None:
    """The list of reopenings came; the deals themselves have not been exported anew."""
    reopened = await deal(world, "won", 100, 10, closed="2026-02-20")
    undone: dict[str, Any] = {"closed_at": at("2026-02-20"), "outcome": "won", "amount": 100}
    await world.add(
        "opportunity_reopening",
        opportunity_id=reopened,
        reopened_at=at("2026-03-01"),
        reopened_known_at=at("2026-03-02"),
        known_at=at("2026-02-20"),
        **undone,
    )
    await deal(world, "won", 100, 10, closed="2026-02-20", partner="other")
    before, after = at("2026-03-01"), at("2026-03-02")
    assert (await world.value(VELOCITY, "a", as_of=before)).value == pytest.approx(10.0)
    value = await world.value(VELOCITY, "a", as_of=after)
    assert (value.value, value.reason, value.parts["open"]) == (None, "no_closed_deals", 1)
    # Closed again at a later moment, it counts again; at the moment it was opened again, too.
    await world.conn.execute("update opportunity set closed_at = '2026-03-01Z' where source_id = $1", reopened)
    assert (await world.value(VELOCITY, "a", as_of=after)).parts["won"] == 1


async def test_a_deal_that_closed_again_is_open_until_that_is_known(world: World) -> None:
    """And among all that were undone those count that are known by then, of this deal and of no other source's."""
    row: dict[str, Any] = {"qualified_at": at("2026-01-01"), "source_id": "deal"}
    await deal(world, "won", 300, closed="2026-03-02", closed_known_at=at("2026-03-10"), **row)
    await deal(world, "won", 300, closed="2026-03-02", source_system="other", partner="other", **row)
    for closed, reopened, known in (
        ("2026-01-10", "2026-01-15", None),
        ("2026-01-20", "2026-02-05", "2026-02-20"),
        ("2026-03-05", "2026-03-20", None),
    ):
        undone = {"closed_at": at(closed), "closed_known_at": at(closed), "outcome": "lost", "amount": 1}
        undone |= {"reopened_at": at(reopened), "reopened_known_at": known and at(known)}
        await world.add("opportunity_reopening", opportunity_id="deal", **undone)
    moments = ("2026-02-10", "2026-02-20", "2026-03-04", "2026-03-05", "2026-03-12", "2026-03-20")
    found = [(await world.reading(VELOCITY, "a", as_of=at(moment))).parts for moment in moments]
    assert [(parts["won"], parts["lost"], parts["open"]) for parts in found] == [
        (0, 1, 0),  # lost on 20 January; that it was opened again is not known yet
        (0, 0, 1),
        (0, 0, 1),  # closed again on 2 March, which is not known yet
        (0, 1, 0),  # lost again on the 5th, as far as is known
        (1, 0, 0),  # the row of the deal says that it was won on the 2nd
        (0, 0, 1),  # and that is not its last word: it was opened again on the 20th
    ]
    other = await world.reading(VELOCITY, "other", as_of=at("2026-03-20"))
    assert (other.parts["won"], other.numerator) == (1, 300)


async def test_a_close_counts_only_from_when_it_is_known(world: World) -> None:
    await deal(world, "won", 100, 10, closed_known_at=at("2026-04-03"))
    await deal(world, "won", 100, 10, known_at=at("2026-04-05"))
    await deal(world, None, closed="2026-06-01")  # qualified after the moment
    assert (await world.value(VELOCITY)).parts["open"] == 1
    assert [(await world.value(VELOCITY, as_of=at(f"2026-04-0{n}"))).value for n in (2, 3, 5)] == [None, 10.0, 20.0]
    # A close after the moment has not happened.
    assert (await world.value(VELOCITY, as_of=at("2026-02-19"))).value is None


async def test_the_window_takes_its_start_and_leaves_its_end(world: World) -> None:
    for closed in ("2025-12-31 23:59:59", "2026-01-01", "2026-03-31 23:59:59", "2026-04-01"):
        await deal(world, "lost", closed=closed)
    assert (await world.value(VELOCITY, as_of=at("2026-06-01"))).n_facts == 2


async def test_a_window_shorter_than_most_cycles_is_marked_immature(world: World) -> None:
    # Cycles 10, 40, 60, 100 days, as closed by then: the 75th percentile is 70 days.
    for cycle, partner in ((10, "a"), (40, "a"), (60, "b"), (100, "b")):
        await deal(world, "won", cycle=cycle, partner=partner)
    short = await world.value(VELOCITY, during=window("2026-02-01", "2026-04-01"))
    assert (short.parts["cycle_p75_days"], short.parts["window_days"], short.parts["immature"]) == (70, 59, 1)
    assert short.parts["cycle_median_days"] == 50
    long = await world.value(VELOCITY)
    assert (long.parts["window_days"], long.parts["immature"]) == (90, 0)
    # 70 days are enough for a 75th percentile of 70; also where all of those closed before the window.
    enough = await world.value(VELOCITY, during=window("2026-01-21", "2026-04-01"))
    assert (enough.parts["window_days"], enough.parts["immature"]) == (70, 0)
    later = await world.value(VELOCITY, during=window("2026-03-01", "2026-04-01"))
    assert (later.reason, later.parts["cycle_p75_days"], later.parts["immature"]) == ("no_closed_deals", 70, 1)
    assert "cycle_median_days" not in later.parts


async def test_the_formula_takes_the_mean_cycle_and_the_median_stands_beside_it(world: World) -> None:
    # Two humps, as real cycles have them: 10, 10, 10, 90 and 130 days. Their median is 10, their mean 250 / 5 = 50.
    for cycle in (10, 10, 10, 90, 130):
        await deal(world, "won", 100, cycle, closed="2026-03-15")
    # 5 x 100 % x 100 / 50 = 10 a day; with the median it would read 50.
    value = await world.value(VELOCITY)
    assert value.value == pytest.approx(10.0)
    assert (value.parts["mean_cycle_days"], value.parts["cycle_median_days"]) == (50, 10)


async def test_without_a_won_deal_there_is_no_average_and_no_cycle_to_show(world: World) -> None:
    await deal(world, "lost")
    parts = (await world.value(VELOCITY)).parts
    assert parts["win_rate"] == 0
    assert not {"average_won_value", "mean_cycle_days", "cycle_median_days", "cycle_p75_days"} & set(parts)


async def test_a_deal_registered_twice_counts_once(world: World) -> None:
    # Two partners registered the same deal; the one that was merged away closed as a duplicate.
    await deal(world, "won", 100, 10, partner="first")
    await deal(world, "duplicate", 100, 10, partner="second")
    # 1 x 100 % x 100 / 10 days; counted twice it would read 20.
    value = await world.value(VELOCITY)
    assert (value.value, value.n_facts, value.n_partners) == (pytest.approx(10.0), 1, 1)


async def test_open_deals_of_any_age_leave_the_number_where_it_is(world: World) -> None:
    await deal(world, "won", 100, 10)
    before = (await world.value(VELOCITY)).value
    for qualified in ("2025-01-01", "2026-03-30"):
        await deal(world, None, 1000, qualified_at=at(qualified))
    value = await world.value(VELOCITY)
    assert (value.value, value.parts["open"], value.parts["stale_open"]) == (before, 2, 1)


async def test_values_are_converted_at_the_rate_of_the_closing_month(world: World) -> None:
    await world.add("fx_rate", currency="EUR", month=day("2026-02-01"), rate="1.5")
    await deal(world, "won", 100, 10, currency="EUR")
    assert (await world.value(VELOCITY)).value == pytest.approx(15.0)
    await deal(world, "won", 100, 10, currency="EUR", closed="2026-03-01")
    value = await world.value(VELOCITY)
    assert (value.value, value.reason, value.parts["missing_fx"]) == (None, "missing_fx_rate", 1)
    # A lost deal's worth is not added, so it needs no rate.
    await deal(world, "lost", 100, closed="2026-03-01", partner="b", currency="JPY")
    assert (await world.value(VELOCITY, "b")).value == 0.0


async def test_a_close_is_converted_at_the_rate_to_our_currency_that_was_known_of_its_month(world: World) -> None:
    rates = (("EUR", "2026-02-01", "1.5"), ("JPY", "2026-02-01", "0.01"), ("EUR", "2026-03-01", "2"))
    for currency, month, rate in rates:
        await world.add("fx_rate", currency=currency, month=day(month), rate=rate)
        # What it is worth in a third currency is nothing to us.
        await world.add("fx_rate", currency=currency, month=day(month), rate="7", reporting_currency="GBP")
    await world.add("fx_rate", currency="EUR", month=day("2026-01-01"), rate="1", known_at=at("2026-03-01"))
    for currency, closed, worth in (
        ("EUR", "2026-02-28 23:59", 150),
        ("EUR", "2026-02-01", 150),
        ("EUR", "2026-03-01", 200),
        ("JPY", "2026-02-20", 1),
    ):
        partner = f"{currency} {closed}"
        await deal(world, "won", 100, 10, closed, partner, currency=currency)
        assert (await world.reading(VELOCITY, partner)).numerator == pytest.approx(worth), partner
    await deal(world, "won", 100, 10, "2026-01-20", currency="EUR")
    found = [(await world.reading(VELOCITY, "a", as_of=at(moment))).parts for moment in ("2026-02-28", "2026-03-01")]
    assert [(parts["missing_fx"], parts["won_value"]) for parts in found] == [(1, 0), (0, 100)]


async def test_whole_quarters_are_alike_where_their_last_months_are_not_like_the_others(world: World) -> None:
    # Every month ten deals close, each of 100 in 20 days; five are won, and eight in the last month of a quarter.
    for month, won in (("2025-10", 5), ("2025-11", 5), ("2025-12", 8), ("2026-01", 5), ("2026-02", 5), ("2026-03", 8)):
        for number in range(10):
            await deal(world, "won" if number < won else "lost", 100, 20, f"{month}-15")
    # A quarter: 30 closed x 18 of 30 won x 100 / 20 days = 90 a day, in both.
    before = await world.value(VELOCITY, during=window("2025-10-01", "2026-01-01"))
    assert (before.value, before.parts["win_rate"]) == (pytest.approx(90.0), pytest.approx(60.0))
    assert (await world.value(VELOCITY)).value == pytest.approx(90.0)
    # A month: 10 x 50 % x 100 / 20 = 25 a day; 10 x 80 % x 100 / 20 = 40 at the quarter's end, 60 % more of nothing.
    january = await world.value(VELOCITY, during=window("2026-01-01", "2026-02-01"))
    march = await world.value(VELOCITY, during=window("2026-03-01", "2026-04-01"))
    assert (january.value, january.parts["win_rate"]) == (pytest.approx(25.0), 50.0)
    assert (march.value, march.parts["win_rate"]) == (pytest.approx(40.0), 80.0)


async def test_data_reach_to_the_latest_event_known(world: World) -> None:
    await deal(world, "won", closed="2026-02-20", partner="other")
    await deal(world, None, qualified_at=at("2026-03-01"), partner="other", known_at=at("2026-03-05"))
    await world.add("partner", partner_id="a")
    reads = [
        (await world.read(VELOCITY, "a", as_of=moment)).data_through
        for moment in (at("2026-02-15"), at("2026-03-04"), Q1_END)
    ]
    assert reads == [at("2026-02-10"), at("2026-02-20"), at("2026-03-01")]
