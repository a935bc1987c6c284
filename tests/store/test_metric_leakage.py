"""Discount leakage: what is a discount, what it is a share of, and when too little of it can be seen."""

from __future__ import annotations

from typing import Any

import pytest

from models.metric import MetricName
from tests.store.world import World, at, day, window

LEAKAGE = MetricName.DISCOUNT_LEAKAGE


async def sale(
    world: World,
    list_amount: float | None,
    net: float,
    on: str = "2026-01-15",
    partner: str = "a",
    discount: float | None = None,
    **row: Any,
) -> None:
    amounts = {"list_amount": list_amount, "discount_amount": discount, "net_amount": net}
    await world.add("partner_transaction", partner_id=partner, transaction_date=day(on), **amounts, **row)


async def test_discounts_are_a_share_of_list_value(world: World) -> None:
    await sale(world, 1000, 950, discount=50)
    await sale(world, 3000, 3000, discount=0)
    # 50 of 4000 = 1.25 %, on one line of two. Of net revenue it would read 1.27.
    value = await world.value(LEAKAGE)
    assert (value.value, value.numerator, value.denominator, value.n_facts) == (1.25, 50, 4000, 2)
    assert value.parts == {
        "list_value": 4000,
        "discount": 50,
        "lines": 2,
        "lines_without_list": 0,
        "discounted_lines": 1,
        "listed": 100,
        "discounted": 50,
        "missing_fx": 0,
        "over_credited": 0,
    }


async def test_of_three_amounts_any_two_give_the_third(world: World) -> None:
    await sale(world, 100, 90)  # 100 - 90 = 10 discount
    await sale(world, None, 90, discount=10)  # 90 + 10 = 100 list
    await sale(world, 100, 90, discount=10)
    value = await world.value(LEAKAGE)
    assert (value.numerator, value.denominator, value.n_facts) == (30, 300, 3)
    # Where all three are said that do not fit, list value and discount are what they are said to be.
    await sale(world, 100, 80, discount=5)
    value = await world.value(LEAKAGE)
    assert (value.numerator, value.denominator) == (35, 400)


async def test_a_return_takes_back_value_and_discount_on_its_own_date(world: World) -> None:
    await sale(world, 1000, 900, "2025-12-20")
    await sale(world, 1000, 900, "2026-01-20")
    await sale(world, -500, -450, "2026-02-10", kind="return")
    # December's sale is out: 100 - 50 of 1000 - 500 = 10 %.
    value = await world.value(LEAKAGE)
    assert (value.value, value.denominator, value.n_facts, value.parts["discounted_lines"]) == (10.0, 500, 2, 1)


async def test_a_credit_is_no_discount(world: World) -> None:
    await sale(world, 100, 100)
    await sale(world, None, -30, kind="credit")
    value = await world.value(LEAKAGE)
    assert (value.value, value.n_facts, value.parts["lines_without_list"]) == (0.0, 1, 0)


@pytest.mark.parametrize(("known", "unknown", "reason"), [(8, 2, None), (7, 2, "low_coverage"), (0, 1, "low_coverage")])
async def test_lines_without_a_list_value_are_left_out_and_too_many_of_them_are_no_value(
    world: World, known: int, unknown: int, reason: str | None
) -> None:
    for _ in range(known):
        await sale(world, 100, 98)
    for _ in range(unknown):
        await sale(world, None, 50)
    # 8 of 10 lines is 80 percent and enough, 7 of 9 is 77.8. A sale of which nobody knows the list price is no sale
    # without a discount.
    value = await world.value(LEAKAGE)
    assert (value.value, value.reason) == (2.0 if reason is None else None, reason)
    assert value.parts["listed"] == pytest.approx(100 * known / (known + unknown))


async def test_only_returns_are_no_value(world: World) -> None:
    await sale(world, -100, -90, kind="return")
    value = await world.value(LEAKAGE)
    assert (value.value, value.reason, value.denominator) == (None, "no_list_value", -100)
    # Paid back more than the list says: that is no line that was sold at a discount.
    await sale(world, -100, -110, kind="return")
    assert (await world.reading(LEAKAGE, "a")).parts["discounted_lines"] == 0


async def test_influenced_lines_are_left_out_and_a_deal_of_two_partners_is_counted_once(world: World) -> None:
    for partner, share in (("distributor", "0.25"), ("reseller", "0.75")):
        await sale(world, 1000, 960, partner=partner, transaction_id="deal", credit_share=share)
    await sale(world, 1000, 100, partner="consultant", transaction_id="deal", attribution="influenced")
    value = await world.value(LEAKAGE)
    assert (value.value, value.denominator) == (4.0, 1000)
    assert (await world.value(LEAKAGE, "reseller")).numerator == 30


async def test_shares_over_one_are_no_value(world: World) -> None:
    for partner in ("distributor", "reseller"):
        await sale(world, 1000, 960, partner=partner, transaction_id="deal", credit_share="0.75")
    assert (await world.value(LEAKAGE, "reseller")).reason == "over_credited"


async def test_amounts_are_converted_at_their_own_months_rate_and_a_missing_one_is_no_value(world: World) -> None:
    for month, rate in (("2026-01-01", "1.2"), ("2026-02-01", "1.5")):
        await world.add("fx_rate", currency="EUR", month=day(month), rate=rate)
    await sale(world, 100, 90, "2026-01-31", currency="EUR")
    await sale(world, 100, 100, "2026-02-01", currency="EUR")
    # 12 of 120 + 150 = 4.44 %; as they stand 10 of 200 would read 5.
    assert (await world.value(LEAKAGE)).value == pytest.approx(12 / 2.7)
    await sale(world, 100, 90, "2026-03-01", currency="EUR")
    value = await world.value(LEAKAGE)
    assert (value.value, value.reason, value.parts["missing_fx"]) == (None, "missing_fx_rate", 1)


async def test_a_line_is_converted_at_the_rate_to_our_currency_that_was_known_of_its_month(world: World) -> None:
    for currency, rate in (("EUR", "1.5"), ("JPY", "0.01")):
        await world.add("fx_rate", currency=currency, month=day("2026-02-01"), rate=rate)
        # What it is worth in a third currency is nothing to us.
        await world.add("fx_rate", currency=currency, month=day("2026-02-01"), rate="7", reporting_currency="GBP")
    await world.add("fx_rate", currency="EUR", month=day("2026-01-01"), rate="1", known_at=at("2026-03-01"))
    for currency, value, discount in (("EUR", 150, 15), ("JPY", 1, 0.1)):
        await sale(world, 100, 90, "2026-02-28", currency, currency=currency)
        found = await world.reading(LEAKAGE, currency)
        assert (found.denominator, found.numerator) == (pytest.approx(value), pytest.approx(discount)), currency
    await sale(world, 100, 90, "2026-01-20", currency="EUR")
    # A line that nobody knows the list value of needs no rate, and is worth nothing here.
    for partner in ("a", "net only"):
        await sale(world, None, 90, "2026-03-20", partner, currency="JPY")
    net_only = await world.reading(LEAKAGE, "net only")
    assert (net_only.numerator, net_only.denominator, net_only.parts["missing_fx"]) == (0, 0, 0)
    read = [(await world.reading(LEAKAGE, "a", as_of=at(moment))).parts for moment in ("2026-02-28", "2026-03-01")]
    assert [(parts["missing_fx"], parts["list_value"]) for parts in read] == [(1, 0), (0, 100)]


async def test_of_a_day_a_window_has_its_midnight_or_nothing(world: World) -> None:
    for on in ("2026-02-01", "2026-02-02", "2026-02-03"):
        await sale(world, 100, 99, on)
    noon = window("2026-02-01 12:00", "2026-02-02 12:00")
    assert (await world.reading(LEAKAGE, "a", during=noon)).facts == 1
    # From midnight to midnight.
    assert (await world.reading(LEAKAGE, "a", during=window("2026-02-01", "2026-02-03"))).facts == 2


async def test_only_what_is_sourced_of_one_transaction_of_one_source_is_credited_together(world: World) -> None:
    both: dict[str, Any] = {"transaction_id": "deal", "credit_share": "0.75"}
    await sale(world, 100, 99, **both)
    await sale(world, 100, 99, partner="consultant", attribution="influenced", **both)
    await sale(world, 100, 99, partner="elsewhere", source_system="other", **both)
    # Said to be influenced only since the end of the quarter, by a row that is no longer as it was.
    await sale(world, 100, 99, partner="said anew", source_id="anew", attribution="influenced", **both)
    await world.amend("partner_transaction", "anew", "2026-06-01", credit_share="0.5")
    assert (await world.reading(LEAKAGE, "a")).parts["over_credited"] == 0
    await sale(world, 100, 99, partner="b", **{**both, "credit_share": "0.6"})
    over = [(await world.reading(LEAKAGE, one)).parts["over_credited"] for one in ("a", "b", "elsewhere")]
    assert over == [1, 1, 0]


async def test_a_group_is_the_ratio_of_sums(world: World) -> None:
    await sale(world, 9000, 8910, partner="large")
    await sale(world, 1000, 900, partner="small")
    # 90 + 100 of 10,000 = 1.9 %; the mean of 1 and 10 would read 5.5.
    assert (await world.value(LEAKAGE)).value == pytest.approx(1.9)


async def test_the_window_takes_its_first_day_and_leaves_its_end(world: World) -> None:
    for on, value in (("2025-12-31", 1), ("2026-01-01", 10), ("2026-03-31", 100), ("2026-04-01", 1000)):
        await sale(world, value, value, on)
    assert (await world.value(LEAKAGE, as_of=at("2026-06-01"))).denominator == 110


async def test_a_line_known_later_is_unknown(world: World) -> None:
    await sale(world, 100, 99)
    await sale(world, 100, 79, known_at=at("2026-04-08"))
    # 1 of 100; then 22 of 200.
    moments = ("2026-04-07", "2026-04-08")
    assert [(await world.value(LEAKAGE, as_of=at(moment))).value for moment in moments] == [1.0, 11.0]


async def test_nothing_sold_has_no_row(world: World) -> None:
    await world.add("partner", partner_id="idle")
    assert ((await world.read(LEAKAGE)).rows, (await world.value(LEAKAGE)).reason) == ((), "no_data")


async def test_data_reach_to_the_end_of_the_latest_day_with_revenue(world: World) -> None:
    assert (await world.read(LEAKAGE, "a")).data_through is None
    await sale(world, 100, 99, "2026-03-10", partner="other")
    assert (await world.read(LEAKAGE, "a")).data_through == at("2026-03-11")
    assert (await world.read(LEAKAGE, "a", as_of=at("2026-03-10 12:00"))).data_through == at("2026-03-10 12:00")


async def test_data_reach_as_far_as_was_known_at_the_moment_also_of_what_was_said_anew(world: World) -> None:
    for name, on, known, then in (("later", "03-10", "03-20", "03-14"), ("earlier", "03-18", "03-25", "03-02")):
        await sale(world, 100, 99, f"2026-{on}", source_id=name, known_at=at(f"2026-{on} 18:00"))
        await world.amend("partner_transaction", name, f"2026-{known}", transaction_date=day(f"2026-{then}"))
    moments = ("2026-03-16", "2026-03-20", "2026-03-24 23:59:59.999999", "2026-03-25")
    found = [(await world.read(LEAKAGE, "a", as_of=at(moment))).data_through for moment in moments]
    assert found == [at(f"2026-03-{through}") for through in ("11", "19", "19", "15")]
