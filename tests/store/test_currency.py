"""The currency of reports: what lacks a rate into it, and that it changes under no open rollout."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from models.clock import ProgrammeClock
from models.work import OpenRequest, RolloutKey
from store.currency import (
    RolloutsOpen,
    WithoutRate,
    reporting_currency,
    rollouts_in_it,
    set_reporting_currency,
    without_rate,
)
from store.pool import Connection, prepare_connection
from store.rollouts import open_rollout
from tests.plans import make_plan
from tests.store.world import World, at, day

WAITS = "select exists (select from pg_locks where not granted and pid = $1)"


async def begin(conn: Connection, name: str) -> None:
    plan, clock = make_plan(id=name), ProgrammeClock(real_start=at("2026-01-05"), programme_start=at("2026-01-05"))
    key = RolloutKey(rollout_id=name, chain_id="chain")
    await open_rollout(conn, OpenRequest(key=key, plan=plan, plan_digest=plan.digest, clock=clock))


async def test_money_is_asked_for_a_rate_in_the_month_in_which_it_is_changed(world: World) -> None:
    """Of USD: sold in February, decided in March, paid in April; of March alone there is a rate into EUR. Of GBP: a
    rebate of January that was booked in February, a deal won in May, an allocation of a fund from June on. What is
    still open, was lost, was not approved, or is in EUR needs none."""
    await world.add("fx_rate", currency="USD", reporting_currency="EUR", month=day("2026-03-01"), rate=1)
    await world.add("fx_rate", currency="USD", reporting_currency="GBP", month=day("2026-02-01"), rate=1)
    await world.add("partner_transaction", partner_id="p", transaction_date=day("2026-02-28"), net_amount=1)
    await world.add(
        "partner_transaction", partner_id="p", transaction_date=day("2026-07-01"), net_amount=1, currency="EUR"
    )
    rebate = {"kind": "rebate", "recognised_on": day("2026-02-10"), "earned_period": day("2026-01-01")}
    await world.add("partner_cost", partner_id="p", amount=1, currency="GBP", **rebate)
    deal = {"partner_id": "p", "amount": 1, "currency": "GBP"}
    await world.add("opportunity", **deal, closed_at=at("2026-05-31 23:59"), outcome="won")
    await world.add("opportunity", **deal, closed_at=at("2026-08-01"), outcome="lost")
    await world.add("opportunity", **deal)
    period = {"period_start": day("2026-06-01"), "period_end": day("2026-09-01")}
    await world.add("mdf_budget", budget_id="b", **period)
    await world.add("mdf_allocation", allocation_id="a", budget_id="b", partner_id="p", amount=1, currency="GBP")
    asked = {"partner_id": "p", "requested_amount": 1, "approved_amount": 1, "submitted_at": at("2026-01-01")}
    await world.add("mdf_request", request_id="r", **asked, decision="approved", decided_at=at("2026-03-01"))
    await world.add("mdf_request", request_id="s", **asked, decision="rejected", decided_at=at("2026-08-01"))
    claim = {"request_id": "r", "partner_id": "p", "claimed_amount": 1, "submitted_at": at("2026-03-02")}
    approved = {"decision": "approved", "approved_amount": 1, "decided_at": at("2026-03-03")}
    await world.add("mdf_claim", **claim, **approved, paid_amount=1, paid_at=at("2026-04-01"))
    await world.add("mdf_claim", **claim)

    assert await without_rate(world.conn, "EUR") == (
        WithoutRate(currency="GBP", months=3, first=day("2026-01-01"), last=day("2026-06-01")),
        WithoutRate(currency="USD", months=2, first=day("2026-02-01"), last=day("2026-04-01")),
    )


async def test_it_is_set_while_no_rollout_is_open_and_those_that_are_over_are_counted(world: World) -> None:
    assert await reporting_currency(world.conn) == "USD"
    await begin(world.conn, "over")
    await world.conn.execute("update rollout set open = false")
    assert await set_reporting_currency(world.conn, "EUR") == ((), 1)
    assert await reporting_currency(world.conn) == "EUR"
    await begin(world.conn, "beta")
    await begin(world.conn, "alpha")
    with pytest.raises(RolloutsOpen) as told:
        await set_reporting_currency(world.conn, "USD")
    assert told.value.names == (await rollouts_in_it(world.conn)).open == ("alpha", "beta")
    assert await reporting_currency(world.conn) == "EUR"


async def test_a_rollout_that_is_just_being_registered_is_open(database: str) -> None:
    """Its row is not there yet for who looks; whoever sets the currency waits for it."""
    one, other = [await asyncpg.connect(database) for _ in range(2)]
    try:
        for conn in (one, other):
            await prepare_connection(conn)
        registers = one.transaction()
        await registers.start()
        await begin(one, "just-now")
        sets = asyncio.create_task(set_reporting_currency(other, "EUR"))
        while not await one.fetchval(WAITS, other.get_server_pid()):
            assert not sets.done()
            await asyncio.sleep(0.01)
        await registers.commit()
        with pytest.raises(RolloutsOpen, match="just-now"):
            await sets
        assert await reporting_currency(one) == "USD"
    finally:
        await one.close()
        await other.close()
