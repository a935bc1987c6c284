"""Partner contribution margin: what belongs to revenue and cost, to which date, and when there is no value."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from models.metric import MetricName
from tests.store.world import Q1_END, World, at, day, window

MARGIN = MetricName.CONTRIBUTION_MARGIN


async def sale(world: World, amount: float, on: str = "2026-01-15", partner: str = "a", **row: Any) -> None:
    await world.add("partner_transaction", partner_id=partner, net_amount=amount, transaction_date=day(on), **row)


async def cost(
    world: World, amount: float, on: str = "2026-01-15", partner: str = "a", kind: str = "product", **row: Any
) -> None:
    await world.add("partner_cost", partner_id=partner, amount=amount, recognised_on=day(on), kind=kind, **row)


async def test_all_variable_cost_is_subtracted_and_every_part_is_kept(world: World) -> None:
    await sale(world, 900, list_amount=1000, discount_amount=100, tax_amount=171)
    await sale(world, 100)
    for kind, amount in (("product", 500), ("freight", 20), ("commission", 50), ("spiff", 10), ("support", 15)):
        await cost(world, amount, kind=kind)
    await cost(world, 40, kind="rebate", earned_period=day("2026-01-01"))
    await world.add(
        "mdf_claim",
        partner_id="a",
        claimed_amount=25,
        paid_amount=25,
        submitted_at=at("2026-01-10"),
        paid_at=at("2026-02-10"),
    )
    # 1000 - (500 + 20 + 50 + 10 + 40 + 15 + 25) = 340 of 1000; tax is not revenue, the discount is off already.
    value = await world.value(MARGIN)
    assert value.value == 34.0
    assert (value.numerator, value.denominator, value.n_facts) == (340, 1000, 2)
    parts = {name: part for name, part in value.parts.items() if part}
    assert parts == {
        "net_revenue": 1000,
        "product_cost": 500,
        "freight_cost": 20,
        "partner_payments": 100,
        "support_cost": 15,
        "mdf": 25,
        "contribution": 340,
        "cost_lines": 6,
        "accruals_open": 3,
        # Less product cost only: 1000 - 500. Less what partners are paid, too: 1000 - 500 - 100 - 25.
        "cm1": 50.0,
        "cm2": 37.5,
        # Of one partner.
        "mean_of_partners": 34.0,
        "median_of_partners": 34.0,
    }


async def test_a_return_counts_on_its_own_date_even_of_an_earlier_sale(world: World) -> None:
    await sale(world, 500, "2025-12-20")
    await sale(world, 400, "2026-01-20")
    await cost(world, 200, "2026-01-20")
    await sale(world, -100, "2026-01-25", kind="return", original_id="partner_transaction-1")
    # Of December's sale, but it belongs to the day it came back: 400 - 100 = 300, less 200 cost = 100: 33.3 %.
    value = await world.value(MARGIN)
    assert value.value == pytest.approx(100 / 3)
    assert value.parts["returned"] == 100


async def test_only_credits_have_no_margin_but_keep_the_money(world: World) -> None:
    await sale(world, -80, kind="credit")
    await cost(world, -50)
    value = await world.value(MARGIN)
    assert (value.value, value.reason) == (None, "no_positive_revenue")
    assert (value.parts["net_revenue"], value.parts["contribution"]) == (-80, -30)


async def test_cost_without_revenue_has_no_margin(world: World) -> None:
    await cost(world, 50)
    value = await world.value(MARGIN)
    assert (value.value, value.reason, value.parts["contribution"]) == (None, "no_positive_revenue", -50)


async def test_sales_that_returns_cancel_out_are_not_divided_by(world: World) -> None:
    await sale(world, 80)
    await sale(world, -80, kind="return")
    await cost(world, 10)
    assert (await world.value(MARGIN)).reason == "no_positive_revenue"


async def test_revenue_without_any_cost_is_a_missing_feed_not_a_full_margin(world: World) -> None:
    await sale(world, 100)
    value = await world.value(MARGIN)
    assert (value.value, value.reason) == (None, "no_cost_data")


async def test_development_funds_paid_do_not_stand_in_for_a_cost_feed_that_is_missing(world: World) -> None:
    await sale(world, 100)
    paid: dict[str, Any] = {"claimed_amount": 3, "paid_amount": 3, "paid_at": at("2026-02-10")}
    await world.add("mdf_claim", partner_id="a", submitted_at=at("2026-01-10"), **paid)
    # 3 of 100 would read 97 %, of a partner whose goods cost something that nobody has sent.
    value = await world.value(MARGIN)
    assert (value.value, value.reason, value.parts["mdf"]) == (None, "no_cost_data", 3)


async def test_a_line_dated_ahead_has_not_happened(world: World) -> None:
    for on in ("2026-03-10", "2026-03-11"):
        await sale(world, 100, on)
        await cost(world, 50, on)
    # On the tenth at noon, over a window that ends later: what is dated tomorrow is still to come.
    value = await world.value(MARGIN, as_of=at("2026-03-10 12:00"))
    assert (value.denominator, value.parts["product_cost"]) == (100, 50)


async def test_a_rebate_belongs_to_the_month_that_earned_it(world: World) -> None:
    await sale(world, 1000, "2026-03-10")
    await cost(world, 500, "2026-03-10")
    # Earned in March, booked and known on 20 April.
    await cost(world, 100, "2026-04-20", kind="rebate", earned_period=day("2026-03-01"), known_at=at("2026-04-20"))
    # Earned in December, booked in January: the last quarter's.
    await cost(world, 70, "2026-01-20", kind="rebate", earned_period=day("2025-12-01"))
    assert (await world.value(MARGIN, as_of=Q1_END)).value == 50.0
    assert (await world.value(MARGIN, as_of=at("2026-04-20"))).value == 40.0


async def test_a_rebate_of_a_shared_deal_counts_by_the_partners_share(world: World) -> None:
    await sale(world, 1000)
    await cost(world, 600)
    await cost(world, 200, kind="rebate", earned_period=day("2026-01-01"), credit_share="0.25")
    # (1000 - 600 - 200 x 0.25) / 1000 = 35 %.
    assert (await world.value(MARGIN)).value == 35.0


async def test_part_of_a_month_takes_that_part_of_its_rebate(world: World) -> None:
    await sale(world, 1000, "2026-03-20")
    await cost(world, 310, "2026-03-31", kind="rebate", earned_period=day("2026-03-01"))
    # 17 to 31 March: 15 of 31 days, 150. The first 16 days hold the other 160.
    assert (await world.value(MARGIN, during=window("2026-03-17", "2026-04-01"))).value == pytest.approx(85.0)
    first_half = await world.value(MARGIN, during=window("2026-03-01", "2026-03-17"))
    assert first_half.parts["partner_payments"] == pytest.approx(160)


async def test_months_whose_rebate_run_is_not_closed_are_flagged(world: World) -> None:
    for partner in ("a", "b"):
        await sale(world, 100, partner=partner)
        await cost(world, 10, partner=partner, kind="rebate", earned_period=day("2026-01-01"))
    await sale(world, 100, partner="never_paid_rebates")
    await cost(world, 60, partner="never_paid_rebates")
    for month, closed in (("2026-01-01", "2026-02-10"), ("2026-02-01", "2026-03-10"), ("2026-03-01", "2026-04-10")):
        await world.add("rebate_run", earned_period=day(month), closed_at=at(closed))
    # On 1 April only March is open; that is one month, not one for each partner.
    assert (await world.value(MARGIN, "a", "b")).parts["accruals_open"] == 1
    assert (await world.value(MARGIN, "a", "b", as_of=at("2026-02-09"))).parts["accruals_open"] == 3
    assert (await world.value(MARGIN, "a", "b", as_of=at("2026-04-10"))).parts["accruals_open"] == 0
    assert (await world.value(MARGIN, "never_paid_rebates")).parts["accruals_open"] == 0


async def test_development_funds_cannot_be_booked_as_a_cost_too(world: World) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await cost(world, 25, kind="mdf")


async def test_each_amount_is_converted_at_its_own_months_rate(world: World) -> None:
    for month, rate in (("2026-01-01", "1.2"), ("2026-02-01", "1.5")):
        await world.add("fx_rate", currency="EUR", month=day(month), rate=rate)
    await sale(world, 100, "2026-01-31", currency="EUR")
    await sale(world, 100, "2026-02-01", currency="EUR")
    await sale(world, 30, "2026-01-10")
    await cost(world, 80, "2026-02-03", currency="EUR")
    # 120 + 150 + 30 = 300 revenue, 120 cost: 60 %. Added as they stand, 230 and 80 would read 65.2.
    value = await world.value(MARGIN)
    assert (value.value, value.denominator) == (60.0, 300)


async def test_a_missing_rate_is_no_value_until_the_rate_is_known(world: World) -> None:
    await sale(world, 100)
    await cost(world, 50)
    await cost(world, 10, currency="JPY")
    await world.add("fx_rate", currency="JPY", month=day("2026-02-01"), rate="0.0067")
    value = await world.value(MARGIN)
    assert (value.value, value.reason, value.parts["missing_fx"]) == (None, "missing_fx_rate", 1)
    await world.add("fx_rate", currency="JPY", month=day("2026-01-01"), rate="0.5", known_at=at("2026-04-05"))
    assert (await world.value(MARGIN)).reason == "missing_fx_rate"
    assert (await world.value(MARGIN, as_of=at("2026-04-05"))).value == 45.0


async def test_development_funds_are_converted_at_the_rate_of_their_payment_and_need_one(world: World) -> None:
    await sale(world, 1000)
    await cost(world, 600)
    await world.add("fx_rate", currency="EUR", month=day("2026-01-01"), rate="1.5")
    paid: dict[str, Any] = {"claimed_amount": 100, "paid_amount": 100, "currency": "EUR", "paid_at": at("2026-02-10")}
    await world.add("mdf_claim", partner_id="a", submitted_at=at("2026-01-10"), **paid)
    value = await world.value(MARGIN)
    assert (value.reason, value.parts["missing_fx"]) == ("missing_fx_rate", 1)
    await world.add("fx_rate", currency="EUR", month=day("2026-02-01"), rate="1.2")
    # (1000 - 600 - 100 x 1.2) / 1000 = 28 %; at the rate of the day it was handed in it would read 25.
    assert (await world.value(MARGIN)).value == 28.0


async def test_a_rate_into_another_currency_does_not_help(world: World) -> None:
    await sale(world, 100, currency="EUR")
    await world.add("fx_rate", currency="EUR", reporting_currency="JPY", month=day("2026-01-01"), rate=160)
    assert (await world.value(MARGIN)).reason == "missing_fx_rate"


async def test_a_deal_of_two_partners_is_counted_once(world: World) -> None:
    for partner, share in (("distributor", "0.25"), ("reseller", "0.75")):
        await sale(world, 1000, partner=partner, transaction_id="deal", credit_share=share)
        await cost(world, 600, partner=partner, credit_share=share)
    both = await world.value(MARGIN)
    assert (both.value, both.denominator) == (40.0, 1000)
    assert (await world.value(MARGIN, "reseller")).denominator == 750


async def test_shares_over_one_are_no_value_also_for_one_of_the_partners(world: World) -> None:
    for partner, share in (("distributor", "0.5"), ("reseller", "0.75")):
        await sale(world, 1000, partner=partner, transaction_id="deal", credit_share=share)
        await cost(world, 600, partner=partner, credit_share=share)
    assert (await world.value(MARGIN)).reason == "over_credited"
    assert (await world.value(MARGIN, "reseller")).reason == "over_credited"


async def test_three_thirds_of_a_deal_are_one_however_they_are_rounded(world: World) -> None:
    # 3 x 0.3333334 = 1.0000002: nothing is counted twice. 3 x 0.3334 = 1.0002 is.
    for deal, share in (("in thirds", "0.3333334"), ("more", "0.3334")):
        for partner in ("a", "b", "c"):
            await sale(world, 1000, partner=partner, transaction_id=deal, credit_share=share)
        assert (await world.value(MARGIN)).parts["over_credited"] == (3 if deal == "more" else 0)


async def test_shares_are_those_known_at_the_moment_also_after_they_were_put_right(world: World) -> None:
    """0.5 + 0.75 is over one from the day the second is known until the first is corrected to 0.25."""
    for partner, share in (("distributor", "0.5"), ("reseller", "0.75")):
        await sale(world, 1000, partner=partner, transaction_id="deal", credit_share=share)
        await cost(world, 600, partner=partner, credit_share=share)
    await world.conn.execute("update partner_transaction set known_at = '2026-04-03Z' where partner_id = 'reseller'")
    await world.conn.execute(
        "update partner_transaction set credit_share = 0.25, amended_at = '2026-04-08Z'"
        " where partner_id = 'distributor'"
    )
    for moment, reason in (("2026-04-02", None), ("2026-04-05", "over_credited"), ("2026-04-09", None)):
        assert (await world.value(MARGIN, as_of=at(moment))).reason == reason, moment


async def test_influence_does_not_use_up_the_credit_of_a_deal(world: World) -> None:
    for partner, attribution in (("reseller", "sourced"), ("consultant", "influenced"), ("integrator", "influenced")):
        await sale(world, 1000, partner=partner, transaction_id="deal", attribution=attribution)
    await cost(world, 600, partner="reseller")
    value = await world.value(MARGIN)
    assert (value.value, value.denominator, value.parts["over_credited"]) == (40.0, 1000, 0)


async def test_a_shift_of_revenue_between_partners_shows_beside_the_margin(world: World) -> None:
    # Each partner keeps its own margin, 40 and 10 %; only how much they sell changes between the quarters.
    for on, shares in (("2025-11-15", (900, 100)), ("2026-02-15", (100, 900))):
        for partner, revenue, rate in (("rich", shares[0], 0.6), ("thin", shares[1], 0.9)):
            await sale(world, revenue, on, partner=partner)
            await cost(world, revenue * rate, on, partner=partner)
    before = await world.value(MARGIN, during=window("2025-10-01", "2026-01-01"))
    after = await world.value(MARGIN)
    # 0.9 x 40 + 0.1 x 10 = 37; 0.1 x 40 + 0.9 x 10 = 13. The mean of 40 and 10 stays.
    assert (before.value, after.value) == (pytest.approx(37.0), pytest.approx(13.0))
    assert before.parts["mean_of_partners"] == pytest.approx(25.0)
    assert after.parts["mean_of_partners"] == pytest.approx(25.0)


async def test_ratio_of_sums_mean_and_median_of_partners_are_three_numbers(world: World) -> None:
    for partner, revenue, spent in (("large", 8000, 7600), ("middling", 1500, 1500), ("small", 500, 250)):
        await sale(world, revenue, partner=partner)
        await cost(world, spent, partner=partner)
    # (400 + 0 + 250) / 10,000 = 6.5 %. The partners' own margins are 5, 0 and 50: mean 18.33, median 5.
    value = await world.value(MARGIN)
    assert value.value == pytest.approx(6.5)
    assert value.parts["mean_of_partners"] == pytest.approx(55 / 3)
    assert value.parts["median_of_partners"] == pytest.approx(5.0)


async def test_a_partner_without_revenue_has_no_margin_of_its_own_but_its_cost_counts(world: World) -> None:
    await sale(world, 1000, partner="selling")
    await cost(world, 600, partner="selling")
    await cost(world, 100, partner="starting")
    # (1000 - 600 - 100) / 1000 = 30 %; the only margin of a partner is 40.
    value = await world.value(MARGIN)
    assert (value.value, value.parts["mean_of_partners"], value.n_partners) == (30.0, 40.0, 1)


async def test_without_a_margin_both_sides_of_it_are_still_reported(world: World) -> None:
    await sale(world, 200)
    await sale(world, -250, kind="return")
    await cost(world, 40)
    # -50 of revenue, -90 of contribution: no margin of 180 %, and no floor is divided by.
    value = await world.value(MARGIN)
    assert (value.value, value.reason, value.numerator, value.denominator) == (None, "no_positive_revenue", -90, -50)
    assert not {"cm1", "cm2", "mean_of_partners", "median_of_partners"} & set(value.parts)


async def test_influenced_revenue_and_cost_are_kept_apart(world: World) -> None:
    await sale(world, 100)
    await cost(world, 75)
    await sale(world, 900, attribution="influenced")
    await sale(world, -50, attribution="influenced", kind="return")
    await cost(world, 100, attribution="influenced")
    # 900 - 50 of influence; what came back of it is no return of sourced revenue.
    value = await world.value(MARGIN)
    assert (value.value, value.n_facts, value.parts["influenced_revenue"]) == (25.0, 1, 850)
    assert value.parts["returned"] == 0


async def test_influenced_cost_is_in_no_sum_and_needs_no_rate(world: World) -> None:
    await sale(world, 100)
    await cost(world, 75)
    await cost(world, 100, attribution="influenced", currency="JPY")
    value = await world.value(MARGIN)
    assert (value.value, value.parts["missing_fx"]) == (25.0, 0)


async def test_influenced_revenue_without_a_rate_is_no_value_because_it_is_shown_beside_it(world: World) -> None:
    """(100 - 75) / 100 = 25 %, with 900 JPY of influence: shown without them, influence would read 0 or 900."""
    await sale(world, 100)
    await cost(world, 75)
    await sale(world, 900, attribution="influenced", currency="JPY")
    value = await world.value(MARGIN)
    assert (value.value, value.reason, value.parts["missing_fx"]) == (None, "missing_fx_rate", 1)
    # At a rate of 0.01 they are 9 dollars, and the margin is what it was.
    await world.add("fx_rate", currency="JPY", month=day("2026-01-01"), rate=0.01)
    value = await world.value(MARGIN)
    assert (value.value, value.parts["influenced_revenue"], value.parts["missing_fx"]) == (25.0, 9.0, 0)


async def test_shares_that_come_to_less_than_one_count_as_they_are_and_the_rest_is_nobodys(world: World) -> None:
    await sale(world, 1000, transaction_id="alone", credit_share=0.6)
    for partner, share in (("a", 0.5), ("b", 0.3)):
        await sale(world, 100, partner=partner, transaction_id="two", credit_share=share)
    await cost(world, 408, partner="a")
    # 1000 x 0.6 + 100 x (0.5 + 0.3) = 680 of 1100: the rest is the vendor's own, or of partners nobody measures.
    # (680 - 408) / 680 = 40 %.
    value = await world.value(MARGIN)
    assert (value.value, value.denominator, value.parts["over_credited"]) == (40.0, 680, 0)


async def test_development_funds_as_a_percent_of_sourced_revenue_follow_from_two_parts(world: World) -> None:
    for amount, row in ((1300, {}), (-100, {"kind": "return"}), (800, {"attribution": "influenced"})):
        await sale(world, amount, **row)
    await cost(world, 900)
    for paid, on in ((20, "2026-02-10"), (10, "2026-03-31"), (50, "2026-04-01")):
        await world.add(
            "mdf_claim",
            partner_id="a",
            claimed_amount=60,
            paid_amount=paid,
            submitted_at=at("2026-01-10"),
            paid_at=at(on),
        )
    # 20 + 10 paid in the window of 1300 - 100 sourced: 2.5 %. With influenced revenue it would read 1.5, with April's
    # payment 6.7, of what was claimed 10.
    parts = (await world.value(MARGIN)).parts
    assert (parts["mdf"], parts["net_revenue"]) == (30, 1200)
    assert 100 * parts["mdf"] / parts["net_revenue"] == 2.5


async def test_a_group_is_the_ratio_of_sums(world: World) -> None:
    await sale(world, 900, partner="large")
    await cost(world, 810, partner="large")
    await sale(world, 100, partner="small")
    await cost(world, 40, partner="small")
    # 1000 - 850 = 15 %; the mean of 10 and 60 would read 35.
    assert (await world.value(MARGIN)).value == 15.0


async def test_the_window_takes_its_first_day_and_leaves_its_end(world: World) -> None:
    for on, amount in (("2025-12-31", 1), ("2026-01-01", 10), ("2026-03-31", 100), ("2026-04-01", 1000)):
        await sale(world, amount, on)
        await cost(world, amount / 2, on)
        row = {"paid_amount": amount / 4, "claimed_amount": amount, "paid_at": at(on), "submitted_at": at("2025-12-01")}
        await world.add("mdf_claim", partner_id="a", **row)
    value = await world.value(MARGIN, as_of=at("2026-06-01"))
    assert (value.denominator, value.parts["product_cost"], value.parts["mdf"]) == (110, 55, 27.5)
    # A window that starts inside a day leaves that day to the window before.
    inside = window("2026-01-01 06:00", "2026-04-01 06:00")
    assert (await world.value(MARGIN, during=inside, as_of=at("2026-06-01"))).denominator == 1100


async def test_facts_known_later_are_unknown(world: World) -> None:
    await sale(world, 100)
    await cost(world, 50)
    await sale(world, 100, known_at=at("2026-04-08"))
    await cost(world, 80, known_at=at("2026-04-09"))
    await world.add(
        "mdf_claim",
        partner_id="a",
        claimed_amount=10,
        paid_amount=10,
        submitted_at=at("2026-02-01"),
        paid_at=at("2026-03-01"),
        paid_known_at=at("2026-04-10"),
    )
    # 50 of 100; then 150 of 200; then 70 of 200; then 60 of 200.
    moments = ("2026-04-07", "2026-04-08", "2026-04-09", "2026-04-10")
    assert [(await world.value(MARGIN, as_of=at(moment))).value for moment in moments] == [50.0, 75.0, 35.0, 30.0]


async def test_data_reach_as_far_as_revenue_and_its_cost_both_do(world: World) -> None:
    await sale(world, 100, "2026-03-10", partner="other")
    # A day is covered to its end.
    assert (await world.read(MARGIN, "a")).data_through == at("2026-03-11")
    await cost(world, 50, "2026-02-10", partner="other")
    assert (await world.read(MARGIN, "a")).data_through == at("2026-02-11")
    await cost(world, 50, "2026-03-20", partner="other", known_at=at("2026-03-25"))
    assert (await world.read(MARGIN, "a", as_of=at("2026-03-24"))).data_through == at("2026-02-11")
    assert (await world.read(MARGIN, "a", as_of=at("2026-03-26"))).data_through == at("2026-03-11")
    # Never beyond the moment asked for.
    assert (await world.read(MARGIN, "a", as_of=at("2026-02-10 12:00"))).data_through == at("2026-02-10 12:00")


@pytest.mark.parametrize(
    "wrong",
    [
        {"net_amount": "NaN"},
        {"net_amount": -5},
        {"currency": "usd"},
        {"kind": "refund"},
        {"partner_id": "nobody"},
        {"credit_share": "1.5"},
        {"credit_share": "NaN"},
    ],
)
async def test_the_schema_refuses_a_sale_that_would_read_as_a_value(world: World, wrong: dict[str, Any]) -> None:
    await world.add("partner", partner_id="a")
    right = {"partner_id": "a", "net_amount": 5, "transaction_date": day("2026-01-05")}
    await world.add("partner_transaction", **right)
    world._partners.add("nobody")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await world.add("partner_transaction", **{**right, **wrong})
