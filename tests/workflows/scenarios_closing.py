"""The paths of rollouts that cannot keep what they leave behind: for a while, or while something protects."""

from __future__ import annotations

import asyncio

from models.base import digest_json
from models.command import Verb
from models.log import EntryKind, Outcome
from models.plan import Fate
from models.rollout import HoldKind, Status
from tests.workflows.live import Live
from tests.workflows.scenarios import Pool, Scenario, soon, to_pilot


async def closing_holds(live: Live, pool: Pool) -> None:
    """Nothing can be exported: the gate does not wait, a stop takes the pilot back, and only the end waits."""
    await pool.execute("alter table exported_history rename to away")
    await to_pilot(live)
    await soon(live, _not_exported, "nobody says that the history is not exported")
    await live.days(1)
    fates = {"finished": Fate.KEEP, "current": Fate.WITHDRAW, "pending": Fate.KEEP}
    assert (await live.ask(Verb.STOP, "sponsor", resolution=fates)).outcome is Outcome.APPLIED
    await soon(live, _end_waits, "the end does not wait")
    assert await pool.fetchval("select count(*) from enrolment where withdrawn_at is null") == 0
    assert (await live.view()).status is Status.STOPPING
    await pool.execute("alter table away rename to exported_history")
    assert (await live.handle.result()).status == Status.STOPPED
    log = [row["entry"] for row in await live.stored_log(pool)]
    kept = [entry["message"] for entry in log if entry["kind"] == EntryKind.EXPORT]
    assert kept[-1].startswith("History exported (before the end): 1 run, ")
    [review] = [entry["evidence_digest"] for entry in log if entry["message"].startswith("Closing review: ")]
    body = await pool.fetchval("select body from evidence where (kind, digest) = ('review', $1)", review)
    assert (digest_json(body), body["ending"]) == (review, "stopped")


async def _not_exported(live: Live) -> bool:
    return any("History not exported (after prepare_to_pilot)" in entry.message for entry in await live.log())


async def _end_waits(live: Live) -> bool:
    return any(one.kind is HoldKind.CLOSING for one in (await live.view()).holds)


async def stopped_while_exporting(live: Live, pool: Pool) -> None:
    """Somebody holds the table of histories, so that the export after the gate takes its time: a stop does not wait."""
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("lock table exported_history in access exclusive mode")
        await to_pilot(live)
        await soon(live, _exporting, "no export is under way")
        fates = {"finished": Fate.KEEP, "current": Fate.WITHDRAW, "pending": Fate.KEEP}
        assert (await live.ask(Verb.STOP, "sponsor", resolution=fates)).outcome is Outcome.APPLIED
        await soon(live, _withdrawn, "the stop waits for the export")
        history = await live.handle.fetch_history()
        assert not any(one.HasField("activity_task_failed_event_attributes") for one in history.events)
    assert (await live.handle.result()).status == Status.STOPPED


async def _exporting(live: Live) -> bool:
    told = (await live.handle.describe()).raw_description
    return any(one.activity_type.name == "export_history" for one in told.pending_activities)


async def _withdrawn(live: Live) -> bool:
    await asyncio.sleep(0.05)
    return (await live.view()).cohorts[0].state == "withdrawn"


CLOSING: dict[str, Scenario] = {
    "closing_holds": Scenario(closing_holds),
    "stopped_while_exporting": Scenario(stopped_while_exporting),
}
