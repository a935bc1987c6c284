"""The life of market development funds: what is available, reserved, owed and paid before and after every step."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from models.metric import MetricName
from store.intake import FactKind
from tests.store.life import Life
from tests.store.world import World, window

BUDGETS, ALLOCATIONS = FactKind.MDF_BUDGETS, FactKind.MDF_ALLOCATIONS
REQUESTS, CLAIMS = FactKind.MDF_REQUESTS, FactKind.MDF_CLAIMS
Q1 = window("2026-01-01", "2026-04-01")


class Balances(NamedTuple):
    """What is there of the fund, and what became of the rest."""

    available: float
    reserved: float
    owed: float
    paid: float
    late: float = 0


@pytest.fixture
async def fund(world: World, tmp_path: Path) -> Life:
    """1000 of a fund for the first quarter whose claims close with April; known on the first of February."""

    async def look(as_of: datetime) -> Balances | None:
        rows = (await world.read(MetricName.MDF_SPEND, "a", during=Q1, as_of=as_of)).rows
        if not rows or not rows[0].parts.get("allocations"):
            return None
        parts = {name: float(value or 0) for name, value in rows[0].parts.items()}
        held = (parts["reserved"], parts["approved_unpaid"], parts["paid"])
        return Balances(parts["allocation"] - sum(held), *held, parts["late_claims"])

    life = Life(world, tmp_path, look)
    await life.tell(FactKind.PARTNERS, "a", "2025-12-01", name="A")
    period = {"period_start": "2026-01-01", "period_end": "2026-04-01", "claim_deadline": "2026-04-30"}
    assert await life.tell(BUDGETS, "q1", "2026-02-01", **period, amount="5000", currency="USD") is None
    seen = await life.tell(
        ALLOCATIONS, "q1-a", "2026-02-01", budget_id="q1", partner_id="a", amount="1000", currency="USD"
    )
    assert seen == Balances(1000, 0, 0, 0)
    return life


ASKED = {"partner_id": "a", "allocation_id": "q1-a", "currency": "USD", "requested_amount": "400"}
APPROVED = {"decision": "approved", "decided_at": "2026-02-05", "approved_amount": "300", "approver": "finance"}


async def request(fund: Life, **more: str) -> None:
    asked = {**ASKED, "submitted_at": "2026-02-02", "copay_share": "0.5", "activity": "fair"}
    assert await fund.tell(REQUESTS, "r", "2026-02-02", **asked, **more) == Balances(1000, 0, 0, 0)
    assert await fund.tell(REQUESTS, "r", "2026-02-05", **APPROVED) == Balances(700, 300, 0, 0)


CLAIM = {
    "partner_id": "a",
    "request_id": "r",
    "currency": "USD",
    "claimed_amount": "500",
    "submitted_at": "2026-02-20",
}


async def test_a_request_approved_in_part_is_claimed_with_proof_approved_in_part_and_paid(fund: Life) -> None:
    await request(fund)
    proof = {"proof_ref": "photos", "invoice_ref": "inv-1"}
    assert await fund.tell(CLAIMS, "c", "2026-02-20", **CLAIM, **proof) == Balances(700, 300, 0, 0)
    # Half of the 500 is the partner's own; of the other 250 only 200 are approved, and the rest is given back.
    part = {"decision": "approved", "decided_at": "2026-02-25", "approved_amount": "200", "approver": "finance"}
    assert await fund.tell(CLAIMS, "c", "2026-02-25", **part) == Balances(800, 0, 200, 0)
    assert await fund.tell(CLAIMS, "c", "2026-03-05", paid_at="2026-03-05", paid_amount="200") == Balances(
        800, 0, 0, 200
    )
    # The bank says that it was 150.
    assert await fund.tell(CLAIMS, "c", "2026-03-20", paid_amount="150") == Balances(850, 0, 0, 150)
    # And the allocation was 900.
    assert await fund.tell(ALLOCATIONS, "q1-a", "2026-03-25", amount="900") == Balances(750, 0, 0, 150)
    await fund.is_remembered()


async def test_copay_is_taken_before_the_approval_bounds_a_claim(fund: Life) -> None:
    await request(fund)
    # Half of 500 is below the 300 that are approved.
    approved = {"decision": "approved", "decided_at": "2026-02-25", "approved_amount": "300"}
    assert await fund.tell(CLAIMS, "c", "2026-02-25", **CLAIM, **approved) == Balances(750, 0, 250, 0)
    await fund.is_remembered()


async def test_a_request_that_is_rejected_reserves_nothing(fund: Life) -> None:
    await fund.tell(REQUESTS, "r", "2026-02-02", **ASKED, submitted_at="2026-02-02")
    rejected = {"decision": "rejected", "decided_at": "2026-02-05", "approver": "finance"}
    assert await fund.tell(REQUESTS, "r", "2026-02-05", **rejected) == Balances(1000, 0, 0, 0)
    # Decided anew.
    assert await fund.tell(REQUESTS, "r", "2026-02-09", **APPROVED) == Balances(700, 300, 0, 0)
    await fund.is_remembered()


@pytest.mark.parametrize("reason", ["cancelled", "expired", "withdrawn"])
async def test_a_reservation_given_back_is_available_again_from_when_that_is_known(fund: Life, reason: str) -> None:
    await request(fund)
    given = {"released_at": "2026-02-10", "released_reason": reason}
    assert await fund.tell(REQUESTS, "r", "2026-02-12", **given) == Balances(1000, 0, 0, 0)
    # A mistake: it is still on.
    assert await fund.tell(REQUESTS, "r", "2026-02-20", released_at="", released_reason="") == Balances(700, 300, 0, 0)
    await fund.is_remembered()


async def test_a_claim_that_is_rejected_leaves_the_reservation_until_claims_close(fund: Life) -> None:
    await request(fund)
    rejected = {"decision": "rejected", "decided_at": "2026-02-25", "approver": "finance"}
    assert await fund.tell(CLAIMS, "c", "2026-02-25", **CLAIM, **rejected) == Balances(700, 300, 0, 0)
    assert await fund.at("2026-04-30 23:59") == Balances(700, 300, 0, 0)
    assert await fund.at("2026-05-01 00:00") == Balances(1000, 0, 0, 0)
    await fund.is_remembered()


async def test_a_claim_taken_back_frees_what_was_owed_and_the_reservation_stands_again(fund: Life) -> None:
    await request(fund)
    approved = {"decision": "approved", "decided_at": "2026-02-25", "approved_amount": "200"}
    assert await fund.tell(CLAIMS, "c", "2026-02-25", **CLAIM, **approved) == Balances(800, 0, 200, 0)
    assert await fund.tell(CLAIMS, "c", "2026-03-01", withdrawn_at="2026-03-01") == Balances(700, 300, 0, 0)
    await fund.is_remembered()


async def test_a_reservation_nobody_claims_expires_with_the_deadline_and_a_late_claim_needs_a_name(fund: Life) -> None:
    await request(fund)
    assert await fund.at("2026-04-30 23:59") == Balances(700, 300, 0, 0)
    assert await fund.at("2026-05-01 00:00") == Balances(1000, 0, 0, 0)
    late = {**CLAIM, "submitted_at": "2026-05-02"}
    assert await fund.tell(CLAIMS, "c", "2026-05-02", **late) == Balances(1000, 0, 0, 0)
    approved = {"decision": "approved", "decided_at": "2026-05-03", "approved_amount": "200"}
    assert await fund.tell(CLAIMS, "c", "2026-05-03", **approved) == Balances(800, 0, 200, 0, late=1)
    assert await fund.tell(CLAIMS, "c", "2026-05-04", late_waived_by="vp") == Balances(800, 0, 200, 0)
    # The deadline had been moved to the end of May all along, as it turns out.
    assert await fund.tell(BUDGETS, "q1", "2026-05-05", claim_deadline="2026-05-31") == Balances(800, 0, 200, 0)
    await fund.is_remembered()


async def test_several_claims_settle_a_request_with_the_last_one(fund: Life) -> None:
    await request(fund)
    first = {**CLAIM, "claimed_amount": "200", "settles_request": "false"}
    approved = {"decision": "approved", "decided_at": "2026-02-25", "approved_amount": "100"}
    assert await fund.tell(CLAIMS, "c1", "2026-02-25", **first, **approved) == Balances(700, 200, 100, 0)
    last = {**CLAIM, "claimed_amount": "300", "submitted_at": "2026-03-10"}
    approved = {"decision": "approved", "decided_at": "2026-03-11", "approved_amount": "150"}
    assert await fund.tell(CLAIMS, "c2", "2026-03-11", **last, **approved) == Balances(750, 0, 250, 0)
    await fund.is_remembered()
