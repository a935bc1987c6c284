"""The paths of rollouts that keep their decision record when they end, or are kept from it."""

from __future__ import annotations

import asyncio

from models.command import Verb
from models.kept import DRAFT, READINGS, Named, misfits, named_in
from models.learning import Readings
from models.log import EntryKind, Outcome
from models.plan import Fate
from models.rollout import HoldKind, Status
from record.keeping import compared, left_behind
from store.hindsight import read_hindsight
from store.kept import read_kept
from tests.workflows.live import Live
from tests.workflows.scenarios import Pool, Scenario, happy, soon, to_pilot


async def kept_completed(live: Live, pool: Pool) -> None:
    """Passed to its end: the record tells of that, and a plan of the next cycle lies beside it."""
    await happy(live, pool)
    _, files = await what_is_kept(live, pool)
    assert "Completed: every phase of the plan was passed." in files["en/record.md"].decode()
    assert f"id: {live.plan.id}-2".encode() in files[DRAFT]


async def kept_stopped(live: Live, pool: Pool) -> None:
    """Nothing can be kept: a stop takes the pilot back, the end waits, says so, and keeps it when it can."""
    await pool.execute("alter table kept_document rename to away")
    await to_pilot(live)
    await live.days(1)
    fates = {"finished": Fate.KEEP, "current": Fate.WITHDRAW, "pending": Fate.KEEP}
    assert (await live.ask(Verb.STOP, "sponsor", resolution=fates)).outcome is Outcome.APPLIED
    await soon(live, _end_waits, "the end does not wait")
    assert await pool.fetchval("select count(*) from enrolment where withdrawn_at is null") == 0
    await pool.execute("alter table away rename to kept_document")
    assert (await live.handle.result()).status == Status.STOPPED
    _, files = await what_is_kept(live, pool)
    assert f"# {live.plan.id} was stopped: " in files[DRAFT].decode()
    assert "Stopped before the end of the plan." in files["en/record.md"].decode()
    assert "計画の終わりを待たずに中止" in files["ja/record.md"].decode()


async def _end_waits(live: Live) -> bool:
    return any(
        one.kind is HoldKind.CLOSING and one.detail.startswith("keep failed") for one in (await live.view()).holds
    )


async def stopped_while_keeping(live: Live, pool: Pool) -> None:
    """The record of a completed rollout takes its time: a stop does not wait, and what is kept at last tells of it."""
    await to_the_last_wave(live)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("lock table kept_document in access exclusive mode")
        # Time is skipped for whoever waits for the end, but not while an activity is under way.
        ended = asyncio.create_task(live.handle.result())
        await soon(live, _keeping, "no record is being kept")
        fates = {"finished": Fate.WITHDRAW, "current": Fate.WITHDRAW, "pending": Fate.KEEP}
        assert (await live.ask(Verb.STOP, "sponsor", resolution=fates)).outcome is Outcome.APPLIED
        await soon(live, _all_back, "the stop waits for the record")
        history = await live.handle.fetch_history()
        assert not any(one.HasField("activity_task_failed_event_attributes") for one in history.events)
    assert (await ended).status == Status.STOPPED
    _, files = await what_is_kept(live, pool)
    assert "Stopped before the end of the plan." in files["en/record.md"].decode()


async def to_the_last_wave(live: Live) -> None:
    """Through every gate."""
    await to_pilot(live)
    await live.days(20)
    await live.ask(Verb.REVIEW, "sponsor")
    await live.until_phase("validate")
    await live.until_status(Status.AWAITING_APPROVAL)
    await live.decide("sponsor", "finance_owner")
    await live.until_phase("scale", 1)
    await live.decide("sponsor")
    await live.until_phase("scale", 2)
    await live.ask(Verb.REVIEW, "sponsor")


async def _keeping(live: Live) -> bool:
    told = (await live.handle.describe()).raw_description
    return any(one.activity_type.name == "keep_record" for one in told.pending_activities)


async def _all_back(live: Live) -> bool:
    return all(one.state == "withdrawn" for one in (await live.view()).cohorts if one.name != "control")


async def what_is_kept(live: Live, pool: Pool) -> tuple[Named, dict[str, bytes]]:
    """The files that the log names, which are those that are made of the log up to the entry before."""
    async with pool.acquire() as conn:
        found = await read_hindsight(conn, live.plan.id)
        assert found is not None
        kept = await read_kept(conn, found.key, found.log)
    assert kept is not None
    named = named_in(found.log)
    assert named == kept.named
    assert misfits(kept.named.said, kept.files) == ()
    entries = kept.named.said.entries
    review = next(one for one in reversed(found.log) if one.message.startswith("Closing review: "))
    assert review.sequence <= entries < kept.named.entry
    assert found.log[kept.named.entry - 1].kind is EntryKind.RECORD
    # The watch may have written one more reading meanwhile.
    readings = Readings.model_validate_json(kept.files[READINGS])
    again = left_behind(found.plan, found.log[:entries], readings)
    assert compared(kept.files, found.plan, found.log[:entries], found.readings).differs is None
    assert (again.files, again.result) == (kept.files, kept.named.said)
    return kept.named, kept.files


KEPT: dict[str, Scenario] = {
    "kept_completed": Scenario(kept_completed),
    "kept_stopped": Scenario(kept_stopped),
    "stopped_while_keeping": Scenario(stopped_while_keeping),
}
