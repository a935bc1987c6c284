"""MDF that one partner spends from what another was allotted: seen as nobody's, whoever else is looked at."""

from __future__ import annotations

import pytest

from models.evidence import PartnerReading
from models.metric import MetricName, NoValue
from tests.store.test_metric_mdf import HALF, allocation, claim, request
from tests.store.world import World

MDF = MetricName.MDF_SPEND
PARTS = ("allocation", "reserved", "approved_unpaid", "paid", "unbudgeted")


async def alike(world: World, partner: str) -> PartnerReading:
    """What is read of a partner, which must not depend on who is read beside it."""
    alone = await world.reading(MDF, partner, as_of=HALF)
    beside = {row.partner_id: row for row in (await world.read(MDF, "a", "b", as_of=HALF)).rows}
    assert beside[partner] == alone
    return alone


def parts(reading: PartnerReading) -> list[float | None]:
    return [reading.parts[name] for name in PARTS]


@pytest.fixture
async def funds(world: World) -> dict[str, str]:
    """1000 for each of two partners."""
    return {partner: await allocation(world, 1000, partner) for partner in "ab"}


async def test_what_is_promised_from_another_partners_allocation_is_unbudgeted(
    world: World, funds: dict[str, str]
) -> None:
    await request(world, 900, funds["b"], "a")
    assert parts(await alike(world, "a")) == [1000, 0, 0, 0, 900]
    assert parts(await alike(world, "b")) == [1000, 0, 0, 0, 0]
    seen = await world.value(MDF, "a", as_of=HALF)
    assert (seen.value, seen.reason) == (None, NoValue.UNBUDGETED_SPEND)


async def test_what_is_claimed_on_it_stays_so_until_it_is_paid_and_after(world: World, funds: dict[str, str]) -> None:
    asked = await request(world, 900, funds["b"], "a", copay_share="0.5")
    # Half of 1200 is the partner's own; the claim settles the request, so the other 300 are free.
    await claim(world, 1200, asked, approved=800)
    assert parts(await alike(world, "a")) == [1000, 0, 0, 0, 600]
    await claim(world, 100, asked, approved=50, paid=50)
    assert parts(await alike(world, "a")) == [1000, 0, 0, 0, 650]
    assert parts(await alike(world, "b")) == [1000, 0, 0, 0, 0]


async def test_a_claim_on_another_partners_request_is_unbudgeted_and_leaves_its_reservation(
    world: World, funds: dict[str, str]
) -> None:
    asked = await request(world, 900, funds["b"], "b", copay_share="0.5")
    # 500 less co-pay: what the request says holds, whoever claims.
    await claim(world, 500, asked, approved=400, partner="a")
    assert parts(await alike(world, "a")) == [1000, 0, 0, 0, 250]
    assert parts(await alike(world, "b")) == [1000, 900, 0, 0, 0]
    # The partner's own claim settles it.
    await claim(world, 600, asked, approved=300, partner="b")
    assert parts(await alike(world, "b")) == [1000, 0, 300, 0, 0]


async def test_an_allocation_that_turns_out_to_be_the_partners_own_budgets_its_spend(
    world: World, funds: dict[str, str]
) -> None:
    await request(world, 500, funds["b"], "a")
    assert (await world.reading(MDF, "a", as_of=HALF)).parts["unbudgeted"] == 500
    await world.amend("mdf_allocation", funds["b"], "2026-02-01", partner_id="a")
    assert parts(await alike(world, "a")) == [2000, 500, 0, 0, 0]


async def test_a_claim_on_another_partners_request_for_its_own_allocation_is_taken_from_that(
    world: World, funds: dict[str, str]
) -> None:
    asked = await request(world, 900, funds["a"], "b")
    await claim(world, 100, asked, approved=100, partner="a")
    assert parts(await alike(world, "a")) == [1000, 0, 100, 0, 0]
    assert parts(await alike(world, "b")) == [1000, 0, 0, 0, 900]
