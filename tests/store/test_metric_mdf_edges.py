"""MDF spend where two amounts or two moments meet, and what is over before the window: each worked out by hand."""

from __future__ import annotations

from typing import Any

from models.metric import MetricName
from tests.store.test_metric_mdf import HALF, allocation, balances, claim, request
from tests.store.world import World, at, day

MDF = MetricName.MDF_SPEND
LAST_YEAR: dict[str, Any] = {"submitted_at": at("2025-12-05"), "decided_at": at("2025-12-10")}


async def last_quarter(world: World, **budget: Any) -> str:
    """1000 for the last quarter of 2025: over when the window begins."""
    budget = {"period_start": day("2025-10-01"), "period_end": day("2026-01-01"), **budget}
    return await allocation(world, **budget)


async def parts(world: World, as_of: str = "2026-02-15") -> dict[str, float]:
    return (await world.reading(MDF, "a", as_of=at(as_of))).parts


async def test_the_whole_allocation_and_not_a_cent_more_is_not_overspent(world: World) -> None:
    await request(world, 1000, await allocation(world))
    # 18 of 90 days are gone, and 1000 of 1000 is taken: too young to say anything, and no more than the whole.
    young = await world.value(MDF, as_of=at("2026-01-19"))
    assert (young.reason, young.parts["young_committed"]) == ("period_too_young", 1000)
    assert young.parts["overspent_allocations"] == 0
    # Half of the days: 1000 / 500.
    half = await world.value(MDF, as_of=HALF)
    assert (half.value, half.parts["overspent_allocations"]) == (200.0, 0)


async def test_a_claim_stands_until_its_rejection_is_known(world: World) -> None:
    fund = await allocation(world)
    late: dict[str, Any] = {"decided_at": at("2026-04-20"), "decided_known_at": at("2026-05-05")}
    await claim(world, 100, await request(world, 100, fund), decision="rejected", **late)
    # The deadline, 30 April, found a claim handed in; on 5 May it turns out that there has been none worth waiting for.
    assert await balances(world, "2026-05-04 23:59") == (0, 0, 100)
    assert await balances(world, "2026-05-05") == (0, 0, 0)


async def test_of_a_reservation_that_is_claimed_in_part_the_rest_expires_with_the_deadline(world: World) -> None:
    fund = await allocation(world)
    more: dict[str, Any] = {"settles_request": False}
    paid = await request(world, 500, fund)
    await claim(world, 120, paid, approved=120, paid=120, **more)
    owed = await request(world, 300, fund)
    await claim(world, 100, owed, approved=100, **more)
    asked = await request(world, 200, fund, copay_share="0.5")
    await claim(world, 160, asked, submitted_at=at("2026-04-30"), **more)  # half of it is the partner's own
    doubtful = await request(world, 90, fund)
    await claim(world, 30, doubtful, approved=30, invoice_ref="INV-1", **more)
    await claim(world, 25, doubtful, approved=20, invoice_ref="INV-1", submitted_at=at("2026-01-21"), **more)
    late = await request(world, 70, fund)
    await claim(world, 70, late, submitted_at=at("2026-05-01"))
    # Reserved: 500 - 120, 300 - 100, 200, 90 - 30 and 70.
    assert await balances(world, "2026-04-30 23:59") == (120, 130, 380 + 200 + 200 + 60 + 70)
    # What nobody claimed in time is free. Left are 80 that may still be approved of the 160, and the 20 of the invoice
    # that came twice, which is not turned down yet.
    assert await balances(world, "2026-05-01") == (120, 130, 80 + 20)


async def test_a_claim_in_another_currency_keeps_its_reservation_until_it_is_decided(world: World) -> None:
    await world.add("fx_rate", currency="EUR", reporting_currency="USD", month=day("2026-05-01"), rate=2)
    asked = await request(world, 500, await allocation(world))
    late: dict[str, Any] = {"decided_at": at("2026-05-10"), "settles_request": False}
    await claim(world, 100, asked, approved=100, currency="EUR", **late)
    # What 100 euros will be worth on the day of the decision nobody knows before: 200, and then the 300 left are free.
    assert await balances(world, "2026-05-09") == (0, 0, 500)
    assert await balances(world, "2026-05-10") == (0, 200, 0)


async def test_of_a_period_that_is_over_only_what_is_paid_in_the_window_counts(world: World) -> None:
    asked = await request(world, 500, await last_quarter(world), **LAST_YEAR)
    handed_in: dict[str, Any] = {"settles_request": False, **LAST_YEAR}
    await claim(world, 300, asked, approved=300, paid=300, paid_at=at("2025-12-31 23:59"), **handed_in)
    await claim(world, 40, asked, approved=40, paid=40, **handed_in)  # paid on 1 February
    # Of 500 promised, 340 paid: the 40 in the window. The 160 left are no reservation of this period.
    found = await parts(world)
    assert found["paid_in_window"] == 40
    assert [found[name] for name in ("allocations", "paid", "approved_unpaid", "reserved", "unbudgeted")] == [0] * 5


async def test_what_is_doubtful_about_a_period_that_is_over_is_flagged_all_the_same(world: World) -> None:
    fund = await last_quarter(world, claim_deadline=day("2025-12-10"))
    paid: dict[str, Any] = {"submitted_at": at("2025-12-08"), "paid_at": at("2025-12-20")}
    # Approved 100 of the 200 claimed, and paid 150: 50 too much.
    await claim(world, 200, await request(world, 300, fund, **LAST_YEAR), approved=100, paid=150, **paid)
    # Nobody decided; half of 100 is the partner's own, and paid were 80: 30 too much.
    await claim(world, 100, await request(world, 300, fund, copay_share="0.5", **LAST_YEAR), paid=80, **paid)
    # In order, but handed in the day after the last one.
    after: dict[str, Any] = paid | {"submitted_at": at("2025-12-11")}
    await claim(world, 70, await request(world, 300, fund, **LAST_YEAR), approved=70, paid=70, **after)
    found = await parts(world)
    assert (found["overpaid_claims"], found["late_claims"], found["paid_in_window"]) == (2, 1, 0)


async def test_a_period_that_is_over_needs_its_rates_too(world: World) -> None:
    fund = await last_quarter(world)
    yen: dict[str, Any] = {"currency": "JPY", **LAST_YEAR}
    asked = await request(world, 100, fund, **yen)
    # One promise in a currency of which no rate is known; then a claim on it besides, paid before the window.
    assert (await parts(world))["missing_fx"] == 1
    await claim(world, 100, asked, approved=100, paid=100, paid_at=at("2025-12-20"), **yen)
    assert (await parts(world))["missing_fx"] == 2


async def test_whoever_was_promised_money_once_has_a_row_of_zeros(world: World) -> None:
    await request(world, 100, await last_quarter(world), **LAST_YEAR)
    row = await world.reading(MDF, "a", as_of=HALF)
    assert (row.numerator, row.denominator, row.facts) == (0, 0, 0)
    # Asked for and not approved is nothing.
    await request(world, None, await last_quarter(world, partner="b"), "b")
    assert (await world.read(MDF, "b", as_of=HALF)).rows == ()


async def test_a_payment_is_held_against_the_approval_once_that_is_known(world: World) -> None:
    late: dict[str, Any] = {"decided_at": at("2026-01-25"), "decided_known_at": at("2026-02-20")}
    asked = await request(world, 200, await allocation(world))
    await claim(world, 200, asked, approved=100, paid=150, **late)
    # 150 of the 200 claimed is not too much; of the 100 approved it is.
    assert (await parts(world, "2026-02-19"))["overpaid_claims"] == 0
    assert (await parts(world, "2026-02-20"))["overpaid_claims"] == 1


async def test_of_a_promise_without_an_allocation_what_was_paid_before_the_window_is_gone(world: World) -> None:
    asked = await request(world, 100, None, **LAST_YEAR)
    handed_in: dict[str, Any] = {"settles_request": False, **LAST_YEAR}
    await claim(world, 30, asked, approved=30, paid=30, paid_at=at("2025-12-20"), **handed_in)
    await claim(world, 20, asked, approved=20, paid=20, **handed_in)  # paid on 1 February
    # 100 - 30 - 20 = 50 are still reserved: 20 + 50, and one commitment.
    found = await world.reading(MDF, "a", as_of=HALF)
    assert (found.parts["unbudgeted"], found.facts) == (70, 1)
