"""MDF spend: what is paid, owed and reserved against the plan to date, and money nobody allocated."""

from __future__ import annotations

from typing import Any

import pytest

from models.metric import MetricName
from tests.store.world import World, at, day, window

MDF = MetricName.MDF_SPEND
HALF = at("2026-02-15")
"""31 + 14 of the first quarter's 90 days are gone: half of the period."""


async def allocation(world: World, amount: float = 1000, partner: str = "a", **budget: Any) -> str:
    """Money for the first quarter of 2026, to be claimed until the end of April."""
    budget = {
        "period_start": day("2026-01-01"),
        "period_end": day("2026-04-01"),
        "claim_deadline": day("2026-04-30"),
        **budget,
    }
    known = {"known_at": budget.pop("allocated")} if "allocated" in budget else {}
    currency = {"currency": budget["currency"]} if "currency" in budget else {}
    budget_id = await world.add("mdf_budget", **budget)
    return await world.add(
        "mdf_allocation", budget_id=budget_id, partner_id=partner, amount=amount, **known, **currency
    )


async def request(
    world: World, approved: float | None, allocation_id: str | None, partner: str = "a", **row: Any
) -> str:
    """Submitted on 5 January; approved on the 10th where an amount is given."""
    if approved is not None:
        row = {"decision": "approved", "decided_at": at("2026-01-10"), "approved_amount": approved, **row}
    row = {"requested_amount": approved or 100, "submitted_at": at("2026-01-05"), **row}
    return await world.add("mdf_request", partner_id=partner, allocation_id=allocation_id, **row)


async def claim(
    world: World,
    claimed: float,
    request_id: str | None,
    *,
    approved: float | None = None,
    paid: float | None = None,
    partner: str = "a",
    **row: Any,
) -> None:
    """Submitted on 20 January, decided on the 25th, paid on 1 February: as far as amounts are given."""
    if approved is not None:
        row = {"decision": "approved", "decided_at": at("2026-01-25"), "approved_amount": approved, **row}
    if paid is not None:
        row = {"paid_at": at("2026-02-01"), "paid_amount": paid, **row}
    row = {"submitted_at": at("2026-01-20"), **row}
    await world.add("mdf_claim", partner_id=partner, request_id=request_id, claimed_amount=claimed, **row)


async def balances(world: World, as_of: str = "2026-02-15") -> tuple[float, float, float]:
    """What is paid, approved but unpaid, and reserved."""
    parts = (await world.reading(MDF, "a", as_of=at(as_of))).parts
    return parts["paid"], parts["approved_unpaid"], parts["reserved"]


async def test_three_balances_against_the_plan_to_date(world: World) -> None:
    fund = await allocation(world)
    await claim(world, 200, await request(world, 200, fund), approved=200, paid=200)
    await claim(world, 100, await request(world, 100, fund), approved=100)
    await request(world, 150, fund)
    # (200 + 100 + 150) / (1000 x 0.5) = 90 %.
    value = await world.value(MDF, as_of=HALF)
    assert value.value == pytest.approx(90.0)
    assert await balances(world) == (200, 100, 150)
    assert (value.numerator, value.denominator, value.n_facts) == (450, 500, 1)
    # At the end of the period, and after it, the plan is the whole allocation.
    assert (await world.value(MDF, as_of=at("2026-04-01"))).value == pytest.approx(45.0)
    assert (await world.value(MDF, as_of=at("2026-04-20"))).value == pytest.approx(45.0)


async def balance(world: World, as_of: str) -> float:
    """What is still there for new requests."""
    return (await world.value(MDF, "a", as_of=at(as_of))).parts["available"]


async def test_what_is_available_is_what_nobody_has_paid_owes_or_reserved(world: World) -> None:
    fund = await allocation(world)
    await claim(world, 200, await request(world, 200, fund), approved=200, paid=200)
    await claim(world, 100, await request(world, 100, fund), approved=100)
    await request(world, 150, fund)
    # 1000 - 200 - 100 - 150.
    assert await balance(world, "2026-02-15") == 550
    assert sum(await balances(world)) + 550 == 1000


async def test_money_comes_back_when_a_claim_is_lower_a_request_is_released_or_nobody_claims(world: World) -> None:
    fund = await allocation(world, period_start=day("2025-10-01"))
    await claim(world, 180, await request(world, 300, fund), approved=180)  # approved on 25 January
    await request(world, 200, fund, released_at=at("2026-02-10"))
    await request(world, 100, fund)  # never claimed; the deadline is 30 April
    for moment, available in (
        ("2026-01-09", 1000),  # submitted
        ("2026-01-10", 400),  # 600 reserved
        ("2026-01-25", 520),  # 180 owed instead of 300
        ("2026-02-10", 720),  # the 200 released
        ("2026-05-01", 820),  # the 100 expired
    ):
        assert await balance(world, moment) == available, moment


async def test_a_claim_in_another_currency_is_reserved_at_one_days_rate_and_paid_at_anothers(world: World) -> None:
    for month, rate in (("2026-01-01", "1.2"), ("2026-02-01", "1.5")):
        await world.add("fx_rate", currency="EUR", month=day(month), rate=rate)
    fund = await allocation(world, period_start=day("2025-10-01"))
    euro: dict[str, Any] = {"currency": "EUR"}
    await claim(world, 100, await request(world, 100, fund, **euro), approved=100, paid=100, **euro)
    for moment, expected in (
        ("2026-01-10", (0, 0, 120)),  # approved in January: 100 x 1.2
        ("2026-01-25", (0, 120, 0)),  # the claim, too
        ("2026-02-01", (150, 0, 0)),  # paid in February: 100 x 1.5
    ):
        assert await balances(world, moment) == expected, moment


async def test_part_of_a_foreign_reservation_is_drawn_at_the_rate_it_was_reserved_at(world: World) -> None:
    for month, rate in (("2026-01-01", "1.2"), ("2026-02-01", "1.5")):
        await world.add("fx_rate", currency="EUR", month=day(month), rate=rate)
    fund = await allocation(world)
    asked = await request(world, 100, fund, currency="EUR")
    half: dict[str, Any] = {"currency": "EUR", "settles_request": False}
    await claim(world, 50, asked, approved=50, paid=50, **half)
    # 50 paid in February is 75; the other 50 stay reserved at January's 60, not 120 - 75 = 45.
    assert await balances(world) == (75, 0, 60)


async def test_each_step_counts_from_when_it_is_known(world: World) -> None:
    fund = await allocation(world, period_start=day("2025-10-01"))
    asked = await request(world, 300, fund, decided_known_at=at("2026-01-12"))
    known: dict[str, Any] = {"decided_known_at": at("2026-01-26"), "paid_known_at": at("2026-02-03")}
    await claim(world, 280, asked, approved=250, paid=240, **known)
    for moment, expected in (
        ("2026-01-11", (0, 0, 0)),  # submitted
        ("2026-01-12", (0, 0, 300)),  # approved: reserved
        ("2026-01-25", (0, 0, 300)),  # claimed: still reserved
        ("2026-01-26", (0, 250, 0)),  # claim approved below the request: the rest is given back
        ("2026-02-02", (0, 250, 0)),
        ("2026-02-03", (240, 0, 0)),  # paid
    ):
        assert await balances(world, moment) == expected, moment


async def test_the_lower_of_claim_and_approval_is_owed_after_co_pay(world: World) -> None:
    fund = await allocation(world)
    await claim(world, 300, await request(world, 1000, fund, copay_share="0.5"), approved=400)  # 150: half of 300
    await claim(world, 900, await request(world, 1000, fund, copay_share="0.5"), approved=400)  # 400: approved
    await claim(world, 900, await request(world, 250, fund), approved=900)  # 250: all that was promised
    assert await balances(world) == (0, 800, 0)


async def test_payment_above_what_is_due_counts_in_full_and_is_flagged(world: World) -> None:
    fund = await allocation(world)
    await claim(world, 200, await request(world, 200, fund, copay_share="0.5"), approved=200, paid=200)
    reading = await world.reading(MDF, "a", as_of=HALF)
    assert (reading.parts["paid"], reading.parts["overpaid_claims"]) == (200, 1)


async def test_part_claims_draw_on_the_reservation_until_the_last_settles_it(world: World) -> None:
    fund = await allocation(world)
    asked = await request(world, 500, fund)
    await claim(world, 100, asked, approved=100, paid=100, settles_request=False)
    await claim(world, 150, asked, approved=150, settles_request=False)
    assert await balances(world) == (100, 150, 250)
    await claim(world, 60, asked, approved=60, decided_at=at("2026-02-20"))
    assert await balances(world, "2026-02-20") == (100, 210, 0)


async def test_claims_together_are_owed_no_more_than_was_promised(world: World) -> None:
    fund = await allocation(world)
    asked = await request(world, 500, fund)
    await claim(world, 400, asked, approved=400, paid=400, settles_request=False)
    await claim(world, 300, asked, approved=300, settles_request=False)
    assert await balances(world) == (400, 100, 0)


async def test_rejected_and_undecided_requests_reserve_nothing_and_a_rejected_claim_keeps_the_reservation(
    world: World,
) -> None:
    fund = await allocation(world)
    await request(world, None, fund, decision="rejected", decided_at=at("2026-01-10"))
    await request(world, None, fund)
    kept = await request(world, 100, fund)
    await claim(world, 100, kept, decision="rejected", decided_at=at("2026-01-25"))
    assert await balances(world) == (0, 0, 100)


async def test_a_released_reservation_gives_the_money_back(world: World) -> None:
    fund = await allocation(world)
    await request(world, 400, fund, released_at=at("2026-02-10"), released_known_at=at("2026-02-12"))
    assert await balances(world, "2026-02-11") == (0, 0, 400)
    assert await balances(world, "2026-02-12") == (0, 0, 0)


async def test_what_nobody_claimed_by_the_deadline_expires(world: World) -> None:
    fund = await allocation(world)
    await request(world, 100, fund)
    claimed = await request(world, 200, fund)
    await claim(world, 200, claimed, submitted_at=at("2026-04-30 18:00"))
    late = await request(world, 400, fund)
    await claim(world, 400, late, submitted_at=at("2026-05-01"))
    # The deadline day itself is in time.
    assert await balances(world, "2026-04-30 23:00") == (0, 0, 700)
    assert await balances(world, "2026-05-01") == (0, 0, 200)


async def test_claims_after_the_deadline_are_flagged_unless_somebody_let_them_pass(world: World) -> None:
    fund = await allocation(world)
    for waived_by in (None, "finance"):
        row: dict[str, Any] = {
            "submitted_at": at("2026-05-02"),
            "decided_at": at("2026-05-03"),
            "late_waived_by": waived_by,
        }
        await claim(world, 50, await request(world, 50, fund), approved=50, **row)
    reading = await world.reading(MDF, "a", as_of=at("2026-05-10"))
    assert (reading.parts["late_claims"], reading.parts["approved_unpaid"]) == (1, 100)


@pytest.mark.parametrize(("handed_in", "late"), [("2026-04-30 23:59", 0), ("2026-05-01 00:00", 1)])
async def test_the_whole_day_of_the_deadline_is_in_time(world: World, handed_in: str, late: int) -> None:
    row: dict[str, Any] = {"submitted_at": at(handed_in), "decided_at": at("2026-05-03")}
    await claim(world, 50, await request(world, 50, await allocation(world)), approved=50, **row)
    assert (await world.reading(MDF, "a", as_of=at("2026-05-10"))).parts["late_claims"] == late


async def test_the_same_invoice_again_is_not_owed_and_flagged_whoever_hands_it_in(world: World) -> None:
    fund, other = await allocation(world), await allocation(world, partner="b")
    await claim(world, 100, await request(world, 100, fund), approved=100, invoice_ref="INV-7")
    again: dict[str, Any] = {"invoice_ref": "inv-7", "submitted_at": at("2026-01-21")}
    await claim(world, 100, await request(world, 300, other, "b"), approved=100, partner="b", **again)
    first = (await world.reading(MDF, "a", as_of=HALF)).parts
    assert (first["approved_unpaid"], first["duplicate_invoices"]) == (100, 0)
    second = (await world.reading(MDF, "b", as_of=HALF)).parts
    # Its reservation stays, because nothing of it is settled.
    assert (second["approved_unpaid"], second["reserved"], second["duplicate_invoices"]) == (0, 300, 1)


async def test_an_invoice_is_a_duplicate_only_once_the_first_one_is_known(world: World) -> None:
    fund = await allocation(world)
    first: dict[str, Any] = {"invoice_ref": "INV-7", "known_at": at("2026-02-20")}
    await claim(world, 100, await request(world, 100, fund), approved=100, **first)
    again: dict[str, Any] = {"invoice_ref": "INV-7", "submitted_at": at("2026-01-21")}
    await claim(world, 100, await request(world, 100, fund), approved=100, **again)
    for moment, duplicates in (("2026-02-19", 0), ("2026-02-20", 1)):
        assert (await world.reading(MDF, "a", as_of=at(moment))).parts["duplicate_invoices"] == duplicates


async def test_a_duplicate_that_was_rejected_is_dealt_with(world: World) -> None:
    fund = await allocation(world)
    await claim(world, 100, await request(world, 100, fund), approved=100, invoice_ref="INV-7")
    row: dict[str, Any] = {"decision": "rejected", "decided_at": at("2026-01-25"), "submitted_at": at("2026-01-21")}
    await claim(world, 100, await request(world, 100, fund), invoice_ref="INV-7", **row)
    assert (await world.reading(MDF, "a", as_of=HALF)).parts["duplicate_invoices"] == 0


async def test_spend_without_an_allocation_is_no_value_with_the_amount(world: World) -> None:
    await claim(world, 70, None, approved=70, paid=70)
    await claim(world, 20, None, approved=20)
    await request(world, 10, None)
    value = await world.value(MDF, as_of=HALF)
    assert (value.value, value.reason, value.parts["unbudgeted"]) == (None, "unbudgeted_spend", 100)
    assert "utilisation" not in value.parts
    assert value.n_facts == 3


async def test_one_partners_unbudgeted_spend_is_not_hidden_by_the_others_plan(world: World) -> None:
    fund = await allocation(world, partner="b")
    await request(world, 450, fund, "b")
    await claim(world, 5, None, approved=5, paid=5)
    value = await world.value(MDF, as_of=HALF)
    assert (value.value, value.reason, value.parts["unbudgeted"]) == (None, "unbudgeted_spend", 5)
    assert (await world.value(MDF, "b", as_of=HALF)).value == pytest.approx(90.0)


async def test_unbudgeted_payments_are_those_of_the_window(world: World) -> None:
    for paid_at in ("2025-12-31 23:59", "2026-01-01", "2026-03-31 23:59", "2026-04-01"):
        row: dict[str, Any] = {"submitted_at": at("2025-12-01"), "decided_at": at("2025-12-10"), "paid_at": at(paid_at)}
        await claim(world, 10, None, approved=10, paid=10, **row)
    assert (await world.value(MDF, as_of=at("2026-04-02"))).parts["unbudgeted"] == 20


async def test_an_allocation_made_known_later_leaves_the_spend_unbudgeted_until_then(world: World) -> None:
    fund = await allocation(world, allocated=at("2026-02-20"))
    await request(world, 450, fund)
    assert (await world.value(MDF, as_of=HALF)).reason == "unbudgeted_spend"
    # 51 of 90 days: 450 / 566.67.
    assert (await world.value(MDF, as_of=at("2026-02-21"))).value == pytest.approx(450 / (1000 * 51 / 90) * 100)


async def test_spend_against_an_allocation_of_nothing_is_unbudgeted(world: World) -> None:
    await request(world, 10, await allocation(world, 0))
    assert (await world.value(MDF, as_of=HALF)).reason == "unbudgeted_spend"


async def test_a_claim_that_no_approved_request_stands_behind_counts_against_its_allocation(world: World) -> None:
    fund = await allocation(world)
    await claim(world, 80, await request(world, None, fund), approved=80)
    assert await balances(world) == (0, 80, 0)


async def test_a_young_period_says_nothing_yet(world: World) -> None:
    await request(world, 900, await allocation(world))
    # A quarter of 90 days is 22.5 days: 23 January, noon.
    before = await world.value(MDF, as_of=at("2026-01-23 11:59"))
    assert (before.value, before.reason, before.parts["young_committed"]) == (None, "period_too_young", 900)
    assert (await world.value(MDF, as_of=at("2026-01-23 12:00"))).value == pytest.approx(360.0)


async def test_more_than_the_whole_allocation_is_seen_however_young_the_period(world: World) -> None:
    await request(world, 1001, await allocation(world))
    value = await world.value(MDF, as_of=at("2026-01-09"))  # not approved before the tenth
    assert value.reason == "period_too_young"
    value = await world.value(MDF, as_of=at("2026-01-19"))
    # 18 of 90 days: 1001 / 200.
    assert (value.value, value.parts["overspent_allocations"]) == (pytest.approx(500.5), 1)


async def test_a_young_period_does_not_blur_the_one_before(world: World) -> None:
    await request(world, 450, await allocation(world))
    following = await allocation(world, period_start=day("2026-04-01"), period_end=day("2026-07-01"))
    await request(world, 800, following, decided_at=at("2026-04-02"))
    # 800 of the 9 / 91 of 1000 planned so far would read like 809 %; it is left out, and shown.
    value = await world.value(MDF, during=window("2026-01-10", "2026-04-10"), as_of=at("2026-04-10"))
    assert (value.value, value.parts["young_committed"]) == (pytest.approx(45.0), 800)


async def test_an_accrual_fund_is_all_there_for_the_spending_a_discretionary_one_by_and_by(world: World) -> None:
    await request(world, 300, await allocation(world, 1000, "earned", fund_type="accrual"), "earned")
    await request(world, 300, await allocation(world, 1000, "planned", fund_type="discretionary"), "planned")
    # Half of the period is gone: 300 of the 1000 earned so far, 300 of the 500 planned so far, 600 of 1500 together.
    assert (await world.value(MDF, "earned", as_of=HALF)).value == pytest.approx(30.0)
    assert (await world.value(MDF, "planned", as_of=HALF)).value == pytest.approx(60.0)
    assert (await world.value(MDF, as_of=HALF)).value == pytest.approx(40.0)
    # Nor is what was earned ever too young to be judged.
    early = at("2026-01-12")
    assert (await world.value(MDF, "earned", as_of=early)).value == pytest.approx(30.0)
    assert (await world.value(MDF, "planned", as_of=early)).reason == "period_too_young"


async def test_an_accrual_fund_grows_with_what_is_earned(world: World) -> None:
    fund = await allocation(world, 400, fund_type="accrual")
    await request(world, 300, fund)
    await world.amend("mdf_allocation", fund, "2026-02-20", amount=600)
    # 300 of the 400 earned by then; from the 20th on 300 of 600.
    moments = ("2026-02-19 23:59", "2026-02-20")
    read = [(await world.value(MDF, as_of=at(moment))).value for moment in moments]
    assert read == [pytest.approx(75.0), pytest.approx(50.0)]


async def test_utilisation_and_spend_rate_stand_beside_it(world: World) -> None:
    fund = await allocation(world)
    await claim(world, 200, await request(world, 200, fund), approved=200, paid=200)  # paid on 1 February
    await claim(world, 100, await request(world, 100, fund), approved=100)
    await request(world, 150, fund)
    value = await world.value(MDF, during=window("2026-01-31", "2026-02-15"), as_of=HALF)
    # (200 paid + 100 approved) / 1000 = 30 %; the 15 days are planned with 15 / 90 of 1000, and 200 was paid in them.
    assert value.parts["utilisation"] == pytest.approx(30.0)
    assert value.parts["planned_in_window"] == pytest.approx(1000 / 6)
    assert value.parts["spend_rate"] == pytest.approx(120.0)


async def test_allocations_of_other_periods_and_their_spend_are_not_counted(world: World) -> None:
    for start, end in (("2025-10-01", "2026-01-01"), ("2026-04-01", "2026-07-01")):
        fund = await allocation(world, period_start=day(start), period_end=day(end), claim_deadline=None)
        await claim(world, 300, await request(world, 300, fund), approved=300, paid=300)
    await request(world, 100, await allocation(world))
    value = await world.value(MDF, as_of=HALF)
    assert (value.value, value.parts["allocations"], value.parts["unbudgeted"]) == (pytest.approx(20.0), 1, 0)


async def test_each_amount_is_converted_at_the_rate_of_its_own_day(world: World) -> None:
    for month, rate in (("2026-01-01", "1.2"), ("2026-02-01", "1.5")):
        await world.add("fx_rate", currency="EUR", month=day(month), rate=rate)
    fund = await allocation(world, currency="EUR")
    euro: dict[str, Any] = {"currency": "EUR"}
    await request(world, 100, fund, **euro)  # decided in January: 120
    await claim(world, 100, await request(world, 100, fund, **euro), approved=100, **euro)  # January: 120
    await claim(world, 100, await request(world, 100, fund, **euro), approved=100, paid=100, **euro)  # February: 150
    value = await world.value(MDF, as_of=HALF)
    assert await balances(world) == (150, 120, 120)
    # 390 of 1000 x 1.2 x 0.5.
    assert value.value == pytest.approx(65.0)


async def test_a_missing_rate_is_no_value(world: World) -> None:
    await request(world, 100, await allocation(world), currency="EUR")
    value = await world.value(MDF, as_of=HALF)
    assert (value.value, value.reason, value.parts["missing_fx"]) == (None, "missing_fx_rate", 1)
    await world.add("partner", partner_id="b")
    await allocation(world, partner="b", currency="JPY")
    assert (await world.value(MDF, "b", as_of=HALF)).reason == "missing_fx_rate"


async def test_a_group_is_the_ratio_of_sums(world: World) -> None:
    await request(world, 500, await allocation(world, 10_000, "large"), "large")
    await request(world, 100, await allocation(world, 100, "small"), "small")
    # 600 of 10,100 x 0.5; the mean of 10 % and 200 % would read 105.
    assert (await world.value(MDF, as_of=HALF)).value == pytest.approx(600 / 5050 * 100)


async def test_an_allocation_nobody_touches_is_under_use_not_absence(world: World) -> None:
    await allocation(world)
    value = await world.value(MDF, as_of=HALF)
    assert (value.value, value.reason, value.n_partners) == (0.0, None, 1)


async def test_data_reach_to_the_latest_event_known(world: World) -> None:
    fund = await allocation(world, partner="other")
    asked = await request(world, 100, fund, "other")
    await claim(world, 100, asked, approved=100, paid=100, partner="other", paid_known_at=at("2026-02-09"))
    await world.add("partner", partner_id="a")
    moments = ("2026-01-04", "2026-01-06", "2026-01-10", "2026-01-20", "2026-02-08", "2026-02-09")
    reach = [(await world.read(MDF, "a", as_of=at(moment))).data_through for moment in moments]
    expected = (None, "2026-01-05", "2026-01-10", "2026-01-20", "2026-01-25", "2026-02-01")
    assert reach == [text and at(text) for text in expected]


async def test_data_reach_to_a_claim_that_was_taken_back(world: World) -> None:
    """Submitted on 20 January and taken back on 10 February, which became known two days later."""
    fund = await allocation(world)
    back: dict[str, Any] = {"withdrawn_at": at("2026-02-10"), "withdrawn_known_at": at("2026-02-12")}
    await claim(world, 100, await request(world, 100, fund), **back)
    moments = ("2026-02-11", "2026-02-12")
    reach = [(await world.read(MDF, "a", as_of=at(moment))).data_through for moment in moments]
    assert reach == [at("2026-01-20"), at("2026-02-10")]


async def test_a_claim_taken_back_is_owed_to_nobody_and_keeps_the_reservation(world: World) -> None:
    fund = await allocation(world)
    taken_back: dict[str, Any] = {"withdrawn_at": at("2026-02-10"), "withdrawn_known_at": at("2026-02-12")}
    await claim(world, 80, await request(world, 100, fund), approved=80, **taken_back)
    assert await balances(world, "2026-02-11") == (0, 80, 0)
    assert await balances(world, "2026-02-12") == (0, 0, 100)


@pytest.mark.parametrize("known", [None, "2026-02-03"])
@pytest.mark.parametrize("gone", ["rejected", "withdrawn"])
async def test_an_invoice_may_be_handed_in_again_once_the_first_claim_is_gone(
    world: World, gone: str, known: str | None
) -> None:
    fund = await allocation(world)
    seen = known and at(known)
    first: dict[str, Any] = {"decision": "rejected", "decided_at": at("2026-02-01"), "decided_known_at": seen}
    if gone == "withdrawn":
        first = {"withdrawn_at": at("2026-02-01"), "withdrawn_known_at": seen}
    await claim(world, 100, await request(world, 100, fund), invoice_ref="INV-7", **first)
    again: dict[str, Any] = {"invoice_ref": "INV-7", "submitted_at": at("2026-01-21")}
    await claim(world, 100, await request(world, 100, fund), approved=100, **again)
    # Until then one reservation and a suspect claim, which is not owed: 200 reserved. After it 100 is owed.
    since = known or "2026-02-01"
    assert await balances(world, "2026-01-31" if known is None else "2026-02-02 23:59") == (0, 0, 200)
    assert await balances(world, since) == (0, 100, 100)


async def test_a_reservation_whose_only_claim_was_rejected_expires_with_the_deadline(world: World) -> None:
    fund = await allocation(world)
    await claim(world, 100, await request(world, 100, fund), decision="rejected", decided_at=at("2026-01-25"))
    assert await balances(world, "2026-04-30 23:00") == (0, 0, 100)
    assert await balances(world, "2026-05-01") == (0, 0, 0)
