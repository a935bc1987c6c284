"""What the terminal says of a rollout whose workflow does not go on, and of a namespace that forgets too soon."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import asyncpg

from cli.output import Exit
from console.gateway import Gateway
from models.trouble import Trouble
from models.work import RolloutKey
from store.alarms import Found, raise_alarm
from tests.cli.conftest import Rollout, Terminal, write_plan
from tests.plans import make_plan


async def test_an_alarm_is_told_of_by_list_get_and_doctor_until_it_is_over(
    terminal: Terminal, rollout: Rollout, stores: asyncpg.Pool[asyncpg.Record]
) -> None:
    chain = await stores.fetchval("select chain_id from rollout where rollout_id = $1", rollout.plan.id)
    key = RolloutKey(rollout_id=rollout.plan.id, chain_id=chain)
    told = "the history of run 1 does not begin as it did"
    async with stores.acquire() as conn:
        # The one that stands until a person ends it: others the worker's sweep would end, which finds nothing wrong.
        await raise_alarm(conn, key, Found(Trouble.REWRITTEN, "run 1", told))
    try:
        listed, doctor = await terminal("list"), await terminal("doctor", "-o", "json")
        assert f"Alarm: {rollout.plan.id}: {told}" in listed.err
        asked = await terminal("get", rollout.plan.id)
        assert f"Alarm: {rollout.plan.id}: {told}" in asked.err
        data = (await terminal("list", "-o", "json")).data
        assert {one["rollout"]: one["alarms"] for one in data}[rollout.plan.id] == [told]
        assert doctor.code == Exit.ERROR
        [found] = [one for one in doctor.data if one["check"] == "workflows"]
        # Other tests' rollouts on the same servers may have alarms of their own.
        assert found["ok"] is False
        assert f"{rollout.plan.id}: {told}" in found["found"].split("; ")
    finally:
        await stores.execute("update workflow_alarm set over_at = now() where rollout_id = $1", key.rollout_id)
    [found] = [one for one in (await terminal("doctor", "-o", "json")).data if one["check"] == "workflows"]
    assert rollout.plan.id not in found["found"]
    assert "Alarm" not in (await terminal("get", rollout.plan.id)).err


async def test_nothing_is_started_with_a_retention_below_what_is_allowed_unless_asked_for(
    terminal: Terminal, gateway: Gateway, tmp_path: Path
) -> None:
    plan = make_plan(id=f"short-{uuid4().hex[:8]}")
    file = str(write_plan(tmp_path, plan))
    more = {"ROLLOUTS_RETENTION_DAYS": "91"}
    refused = await terminal("start", "-f", file, **more)
    assert refused.code == Exit.REFUSED
    assert "keeps closed histories for 90 days, and at least 91 are allowed" in refused.err
    doctor = await terminal("doctor", **more)
    assert "at least 91d are allowed" in doctor.out
    wrong = await terminal("start", "-f", file, ROLLOUTS_RETENTION_DAYS="soon")
    assert (wrong.code, "ROLLOUTS_RETENTION_DAYS is 'soon'" in wrong.err) == (Exit.BAD_INPUT, True)
    started = await terminal("start", "-f", file, "--short-retention", **more)
    assert started.code == Exit.OK, started.err
    given = await gateway.started_with(plan.id)
    assert given.short_retention is not None
    assert given.short_retention.days == 90
