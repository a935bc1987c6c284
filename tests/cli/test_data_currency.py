"""data currency: which it is, setting another one, and when that is refused."""

from __future__ import annotations

import asyncpg

from cli.output import Exit
from models.clock import ProgrammeClock
from models.work import OpenRequest, RolloutKey
from store.pool import prepare_connection
from store.rollouts import open_rollout
from tests.cli.conftest import START, Terminal
from tests.plans import make_plan


async def test_the_currency_is_shown_and_set_and_refused_while_rates_are_missing_or_rollouts_open(
    nowhere: Terminal, database: str
) -> None:
    async def currency(*words: str) -> tuple[int, str, str]:
        told = await nowhere("data", "currency", *words, ROLLOUTS_DATABASE_DSN=database)
        return told.code, told.out, told.err

    generate = ("data", "generate", "--partners", "12", "--months", "2")
    assert await currency("EUR") == (Exit.OK, "All money is reported in EUR, until now in USD.\n", "")
    refused = await nowhere(*generate, ROLLOUTS_DATABASE_DSN=database)
    assert refused.code == Exit.REFUSED
    assert "rates into USD alone, and money is reported in EUR; `rollouts data currency USD` first" in refused.err
    assert (await currency("USD"))[0] == Exit.OK
    assert (await nowhere(*generate, ROLLOUTS_DATABASE_DSN=database)).code == Exit.OK
    assert await currency() == (Exit.OK, "All money is reported in USD.\n", ""), "a made-up world has all its rates"

    code, out, err = await currency("CHF")
    assert (code, out) == (Exit.REFUSED, "")
    assert "USD stays: money without a rate into CHF: " in err
    assert "; import rates, or --force." in err
    conn = await asyncpg.connect(database)
    try:
        await prepare_connection(conn)
        for name in ("first", "second"):
            plan, clock = make_plan(id=name), ProgrammeClock(real_start=START, programme_start=START)
            key = RolloutKey(rollout_id=name, chain_id="chain")
            await open_rollout(conn, OpenRequest(key=key, plan=plan, plan_digest=plan.digest, clock=clock))
        told = "USD stays: rollouts are open, and their baselines are in it: first, second. Set it when they are over."
        for words in (("CHF",), ("CHF", "--force")):
            code, _, err = await currency(*words)
            assert (code, told in err) == (Exit.REFUSED, True)
        await conn.execute("update rollout set open = false where rollout_id = 'first'")
        assert "a rollout is open, and its baselines are in it: second." in (await currency("CHF"))[2]
        await conn.execute("update rollout set open = false")
    finally:
        await conn.close()
    forced = await nowhere("data", "currency", "CHF", "--force", "-o", "json", ROLLOUTS_DATABASE_DSN=database)
    assert (forced.data["currency"], forced.data["before"], forced.data["rollouts_over"]) == ("CHF", "USD", 2)
    assert "USD" in [one["currency"] for one in forced.data["without_rate"]]
    code, out, err = await currency("CHF")
    assert (code, out) == (Exit.OK, "All money is reported in CHF.\n")
    assert "What it is part of has no value." in err


async def test_what_is_no_currency_is_refused_before_anything_is_opened(nowhere: Terminal) -> None:
    told = await nowhere("data", "currency", "euro")
    assert (told.code, "'euro' is no currency; write its three capital letters, such as EUR" in told.err) == (
        Exit.BAD_INPUT,
        True,
    )
