"""The first ten minutes: the README's lines, typed one after the other, lead to a rollout that can go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.output import Exit
from console.gateway import Gateway
from models.rollout import HoldKind, Status
from tests.cli.conftest import Rollout, Terminal


async def test_a_plan_started_now_and_one_started_a_year_ago_find_their_baselines_in_the_generated_world(
    terminal: Terminal, gateway: Gateway, world: dict[str, Any]
) -> None:
    from cli.plan import read_plan

    now = datetime.now(UTC)
    assert datetime.fromisoformat(world["starts_at"]) < now - timedelta(days=365 + 90)
    year_ago = f"{now - timedelta(days=365):%Y-%m-%d}"
    for name, clock in (("first-now", ()), ("first-last-year", ("--clock-start", year_ago))):
        file = terminal.folder / f"{name}.yaml"
        made = await terminal("plan", "new", name, "-o", str(file))
        assert made.code == Exit.OK, made.err
        valid = await terminal("plan", "validate", str(file))
        assert valid.code == Exit.OK, valid.err
        started = await terminal("start", "-f", str(file), *clock)
        assert started.code == Exit.OK, started.err
        assert f"rollouts get {name} -w" in started.err

        rollout = Rollout(gateway, read_plan(file))
        view = await rollout.to_gate()
        assert view.status is Status.AWAITING_APPROVAL
        assert not [hold for hold in view.holds if hold.kind is HoldKind.BASELINE]
        missing = [f"{one.metric.value} of {one.cohort}: {one.reason}" for one in view.baselines if one.value is None]
        assert missing == []
        assert view.baselines

        shown = await terminal("get", name)
        assert shown.code == Exit.WAITS
        assert "baselines frozen: 24 of 24 have a value" in shown.out
        explained = await terminal("explain", name)
        assert f"rollouts approve {name} --as sponsor@example.com" in explained.out
        approved = await terminal("approve", name, "--as", "sponsor@example.com", "-m", "a first try")
        assert approved.code == Exit.OK, approved.err
        await rollout.until(Status.RUNNING)
        trail = await terminal("history", name)
        assert (trail.code, "a first try" in trail.out) == (Exit.OK, True)
