"""A 90-day rollout's history: events, bytes and billed actions, against a workflow that polls each metric hourly."""

from __future__ import annotations

import math
import time
from datetime import timedelta

from temporalio.worker import Worker

from bench.counting import LONGEST, Cost, bytes_by_activity, cost
from bench.figures import Bar, Comparison, Findings, Profile
from bench.ground import Ground
from bench.polling import HOUR, Polling, PollingActivities, PollingRollout
from bench.rollouts import BEGIN, DAY
from bench.simulated import Simulated, simulate, simulate_usual
from store.pool import create_pool
from worker.settings import WorkerSettings
from workflows.watch import SILENCE

MONTH = timedelta(days=30)

PASSED_ON = 0.8
"""Of the longest silence so much passes between two signs of life that the SDK hands on to the server."""
AGAINST = "one timer and an activity per metric, each hour"


async def run(ground: Ground) -> Findings:
    """Both on servers whose clock skips: our rollout whole, the polling for some days at whose rate it would go on."""
    rollout, usual = await ground.once(simulate), await ground.once(simulate_usual)
    hours = 4 if ground.quick else 72
    ground.tell(f"polling for {hours} simulated hours")
    polling, seconds = await _poll(ground, rollout, hours)
    ours = cost(rollout.events)
    costs = _costs(ours, polling, f"polling ran {hours} simulated hours; its rate is held over the rest")
    return Findings(
        comparisons=(
            *costs,
            *_costs(cost(usual.events), polling, "the plan of `rollouts plan new`", " of the usual plan"),
            *(_one_run(one, polling) for one in (rollout, usual)),
            *_with_watch(ours, polling),
            *(
                Comparison(
                    what=f"simulating {cost(one.events).span / DAY:.0f} days{name}",
                    unit="s",
                    ours=(one.seconds,),
                    against=AGAINST,
                    theirs=(seconds * (cost(one.events).span / polling.span),),
                    bar=Bar(limit=15, unit="s"),
                )
                for one, name in ((rollout, ""), (usual, " of the usual plan"))
            ),
        ),
        profiles=(_profile(rollout), _profile(usual)),
    )


async def _poll(ground: Ground, rollout: Simulated, hours: int) -> tuple[Cost, float]:
    """What the polling costs, and the seconds it took; it reads the pilot and nothing else."""
    pilot = await _pilot(rollout)
    asked = Polling(hours=hours, begin=BEGIN, metrics=tuple(one.metric for one in rollout.plan.metrics), partners=pilot)
    pool = await create_pool(rollout.dsn, max_size=8)
    async with pool, ground.skipped_time() as (environment, _):
        client = environment.client
        reads = PollingActivities(pool).read_one
        async with Worker(client, task_queue="polling", workflows=[PollingRollout], activities=[reads]):
            began = time.perf_counter()
            handle = await client.start_workflow(PollingRollout.run, asked, id="polling", task_queue="polling")
            await handle.result()
            seconds = time.perf_counter() - began
            events = (await handle.fetch_history()).events
    return cost(events, hours * HOUR), seconds


async def _pilot(rollout: Simulated) -> tuple[str, ...]:
    pool = await create_pool(rollout.dsn)
    async with pool:
        found = await pool.fetchval(
            "select partners from rollout_cohort where rollout_id = $1 and name = 'pilot'", rollout.plan.id
        )
    return tuple(found)


def _costs(ours: Cost, polling: Cost, held: str, whose: str = "") -> tuple[Comparison, ...]:
    whole, month, polled = polling.over(ours.span), ours.over(MONTH), polling.over(MONTH)
    days = f"{ours.span / DAY:.0f} days{whose}"
    fate = f"a server terminates it at {LONGEST:,} events, on day {LONGEST / polling.over(DAY).events:.0f}"

    def compare(what: str, unit: str, mine: float, other: float, limit: float, note: str = "") -> Comparison:
        bar = Bar(limit=limit, unit=unit)
        return Comparison(what=what, unit=unit, ours=(mine,), against=AGAINST, theirs=(other,), bar=bar, note=note)

    return (
        compare(f"events in {days}", "events", ours.events, whole.events, 1000, f"{held}; {fate}"),
        compare(f"events a month{whose}", "events", month.events, polled.events, 240),
        compare(f"bytes in {days}", "KiB", ours.bytes / 1024, whole.bytes / 1024, 120),
        compare(
            f"actions a month{whose}", "actions", month.actions, polled.actions, 75, "people's queries come on top"
        ),
    )


def _one_run(rollout: Simulated, polling: Cost) -> Comparison:
    """Whoever reads a rollout that continued as new reads several histories."""
    span = cost(rollout.events).span
    return Comparison(
        what=f"runs of {rollout.plan.id} in {span / DAY:.0f} days",
        unit="runs",
        ours=(len(rollout.runs),),
        against=AGAINST,
        theirs=(math.ceil(polling.over(span).events / LONGEST),),
        bar=Bar(limit=1, unit="run"),
    )


def _with_watch(ours: Cost, polling: Cost) -> tuple[Comparison, ...]:
    """The watch is one for all rollouts: an activity for each stay, which gives signs of life meanwhile."""
    slowest: timedelta = WorkerSettings.model_fields["watch_slowest"].default
    stays, signs = MONTH / slowest, MONTH / (SILENCE * PASSED_ON)
    note = (
        f"the watch stays awake {slowest.total_seconds() / 60:g} min at a time: {stays:,.0f} actions a month for all,"
        f" and {signs:,.0f} signs of life where those are billed, too"
    )
    return tuple(
        Comparison(
            what=f"the same with its share of the watch, {count} open",
            unit="actions",
            ours=(ours.over(MONTH).actions + stays / count,),
            against=AGAINST,
            theirs=(polling.over(MONTH).actions,),
            note=note,
        )
        for count in (1, 100)
    )


def _profile(rollout: Simulated) -> Profile:
    found = bytes_by_activity(rollout.events)
    whole = sum(found.values())
    rows = tuple((name, f"{size / 1024:.0f} KiB", f"{size / whole:.0%}") for name, size in found.most_common(8))
    return Profile(title=f"where the bytes of {rollout.plan.id} are", columns=("events", "size", "share"), rows=rows)
