"""What a real scrape of a worker holds: our own counts, and the SDK's figures that the alarms in the documents name."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from uuid import uuid4

from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client
from temporalio.runtime import BUFFERED_METRIC_KIND_GAUGE, MetricBuffer, Runtime, TelemetryConfig

from models.letter import PROGRAMS
from models.names import ROLLOUT, rollout_workflow_id
from models.trouble import Trouble
from models.work import RolloutInput
from store import alarms, notices
from store.alarms import Found
from tests.activities.setting import PILOT_COHORT, Pool, Setting, notice
from tests.plans import make_plan
from tests.store.roles import login
from tests.worker.process import Running, patiently, started
from worker.gauges import ALARMS, LETTERS, OPEN, count
from worker.reference import METRICS, TARGET

Scrape = dict[str, dict[frozenset[tuple[str, str]], float]]


async def scrape(worker: Running) -> Scrape:
    """Every sample by its name and its labels."""
    status, text = await worker.ask("ROLLOUTS_METRICS_BIND", "/metrics")
    assert status == 200
    found: Scrape = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name][frozenset(sample.labels.items())] = sample.value
    return found


def value(found: Scrape, name: str, **labels: str) -> float:
    """The only sample with these labels among its own; minus one where there is none."""
    values = [one for own, one in found.get(name, {}).items() if labels.items() <= set(own)]
    assert len(values) <= 1, f"{name} {labels}: {values}"
    return values[0] if values else -1


async def letters(pool: Pool, setting: Setting) -> None:
    """One letter that waits, one that was refused for good, one that was taken."""
    async with pool.acquire() as conn:
        for number, change in enumerate(("attempts = 1", "refused_at = now()", "sent_at = now()")):
            one = notice(number, "sponsor")
            await notices.queue(conn, setting.key, setting.plan, one)
            await conn.execute(f"update notice set {change} where notice_id = $1", one.notice_id)  # noqa: S608
        await conn.execute("delete from notice where contact = $1", PROGRAMS)


async def test_every_alarm_has_something_to_look_at(
    folder: Path, settings: dict[str, str], client: Client, pool: Pool
) -> None:
    setting = await Setting(pool).register()
    await setting.watch(PILOT_COHORT)
    await letters(pool, setting)
    # Nobody takes letters there, so that the one that waits goes on waiting.
    changed = settings | {
        "ROLLOUTS_DATABASE_DSN": await login(pool, settings["ROLLOUTS_DATABASE_DSN"]),
        "ROLLOUTS_SMTP_HOST": "127.0.0.1",
        "ROLLOUTS_SMTP_PORT": "1",
        "ROLLOUTS_WATCH_SLOWEST": "1s",
    }
    async with started(folder, changed) as worker:
        await worker.until_said("worker started")
        last: Scrape = {}

        async def has_counted() -> bool | None:
            nonlocal last
            last = await scrape(worker)
            return len(last[ALARMS]) == len(Trouble) or None

        # Before there is anything else to count, which is counted as well a quarter of a minute later.
        await patiently(has_counted, lambda: worker.text[-3000:])
        assert value(last, OPEN, status="running") == 1
        assert value(last, OPEN, status="paused") == 0
        assert value(last, LETTERS, state="waiting") == 1
        assert value(last, LETTERS, state="refused") == 1
        assert value(last, ALARMS, trouble="terminated") == 0

        queue = changed["ROLLOUTS_TASK_QUEUE"]
        # One rollout that names partners nobody knows, and one of a kind that this release does not know.
        plan = make_plan(id="others")
        name = rollout_workflow_id(plan.id)
        await client.start_workflow(ROLLOUT, RolloutInput(plan=plan), id=name, task_queue=queue)
        await client.start_workflow("FromTheFuture", id=f"future-{uuid4()}", task_queue=queue)

        async def complete() -> bool | None:
            nonlocal last
            last = await scrape(worker)
            gone = value(last, "rollouts_watch_failed_total", reason="without workflow")
            return (gone > 0 and not named_in_the_documents() - last.keys()) or None

        await patiently(complete, lambda: f"{named_in_the_documents() - last.keys()} {worker.text[-3000:]}")

        assert value(last, "rollouts_watch_failed_total", reason="not evaluated") == 0
        assert value(last, "rollouts_watch_evaluated_total") == 0
        assert max(last["rollouts_watch_last_look_timestamp_seconds"].values()) > 1.7e9
        assert worker.said("rollout_without_workflow")
        # Tracebacks and Core's own lines are among what was said; each is an object of its own.
        assert {"temporalio.core", "temporalio.worker._workflow_instance"} & {one["logger"] for one in worker.lines()}


def named_in_the_documents() -> set[str]:
    """The metrics that docs/operations.md lists or builds an alarm on."""
    named = set(re.findall(r"\b(?:rollouts|temporal)_[a-z_]+[a-z]\b", TARGET.read_text(encoding="utf-8")))
    metrics = {name for name in named if name.startswith("temporal_") or name in METRICS}
    assert METRICS.keys() <= metrics
    return metrics


async def test_a_state_that_nothing_is_in_any_more_is_counted_as_zero(pool: Pool) -> None:
    buffer = MetricBuffer(1000)
    meter = Runtime(telemetry=TelemetryConfig(metrics=buffer)).metric_meter

    async def counted() -> dict[tuple[str, str], int | float]:
        await count(meter, pool)
        updates = [one for one in buffer.retrieve_updates() if one.metric.kind == BUFFERED_METRIC_KIND_GAUGE]
        return {(one.metric.name, str([*one.attributes.values()][-1])): one.value for one in updates}

    assert not any((await counted()).values())
    setting = await Setting(pool).register()
    await setting.watch(PILOT_COHORT, status="paused")
    await letters(pool, setting)
    async with pool.acquire() as conn:
        await alarms.raise_alarm(conn, setting.key, Found(Trouble.RESET, "run", "set back"))
    found = await counted()
    assert {name: number for name, number in found.items() if number} == {
        (OPEN, "paused"): 1,
        (LETTERS, "waiting"): 1,
        (LETTERS, "refused"): 1,
        (ALARMS, "reset"): 1,
    }
    await pool.execute("update rollout set open = false")
    await pool.execute("update notice set sent_at = now(), refused_at = null")
    await pool.execute("update workflow_alarm set over_at = now()")
    assert (await counted()).keys() == found.keys()
    assert not any((await counted()).values())
