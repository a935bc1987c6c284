"""Questions while numbers are read or the log is behind, each answered, and requests that can only be refused."""

from __future__ import annotations

import asyncio
from typing import Any

from models.command import WATCH_ACTOR, Verb
from models.log import EntryKind, Outcome
from models.rollout import PauseCause, Status
from tests.plans import PILOT
from tests.workflows.live import Live
from tests.workflows.scenarios import Pool, Scenario, patient_plan, pilot_enrolled, soon, stop_now, to_pilot
from tests.workflows.scenarios_asked import MISSED, being_read


async def each_question(live: Live, pool: Pool) -> None:
    """An owner asks to resume; while the numbers are read for that the watch sees a change. The resume is decided by
    what was being read, and then the rollout looks at the change."""
    await to_pilot(live)
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    await live.days(10)
    assert (await live.ask(Verb.PAUSE, "sponsor")).outcome is Outcome.APPLIED
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("lock table lead in access exclusive mode")
        resume = live.payload("sponsor")
        await live.handle.signal("resume", resume)
        as_of = await being_read(live)
        await live.signal(Verb.REPORT_EVIDENCE, WATCH_ACTOR, as_of=as_of, changed=True, evidence_digest="sha256:0")
        await asyncio.sleep(0.1)
    assert (await live.answer(resume)).outcome is Outcome.APPLIED
    await soon(live, looked_at_both, "nobody looked at the change")
    assert (await live.view()).status is Status.RUNNING
    await stop_now(live)


async def looked_at_both(live: Live) -> bool:
    told = [entry.message.split(":")[0] for entry in await live.log() if entry.kind is EntryKind.ASSESSMENT]
    return told[-2:] == ["Assessed (before resuming)", "Assessed (the watch sees a change)"]


async def no_text(live: Live, pool: Pool) -> None:
    """A request with a character that no text has is refused, and the log goes on."""
    await live.signal(Verb.PAUSE, "sponsor", reason="not\x00so fast")
    await live.confirm_all()
    await live.until_status(Status.AWAITING_APPROVAL)
    stored = [row["entry"]["refusal"] for row in await live.stored_log(pool) if row["entry"]["refusal"]]
    assert stored == ["reason holds a character with the code 0, which no text has"]
    await stop_now(live)


async def heard_while_behind(live: Live, pool: Pool) -> None:
    """The log cannot be written, and requests have filled what a rollout carries of it, when leads turn out to have
    been missed and the watch tells of a breach: it is heard, and the rollout pauses."""
    await to_pilot(live)
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    await live.days(10)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("lock table decision_log in access exclusive mode")
        for _ in range(100):
            await live.signal(Verb.ACKNOWLEDGE, "sponsor", reason="長" * 2000)
        at = (await live.view()).programme_now
        await pool.execute(MISSED, PILOT, at)
        breach: dict[str, Any] = {"metric": "lead_follow_up_sla", "cohort": "pilot", "as_of": at}
        await live.signal(Verb.REPORT_BREACH, WATCH_ACTOR, **breach, snapshot_digest="sha256:" + "0" * 64)
        assert {"words": 1} in [entry.detail for entry in await live.log()]
    await soon(live, paused, "the watch was not heard")
    await stop_now(live)
    assert sum("words" in row["entry"]["detail"] for row in await live.stored_log(pool)) == 1


async def proven_words(live: Live, pool: Pool) -> None:
    """The watch proves its daily words; one that somebody says in its name is refused, and the watch's next one counts
    as ever."""
    await to_pilot(live)
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    await live.days(3)
    heard = (await live.view()).last_evidence_at
    named = {"as_of": (await live.view()).programme_now, "changed": False, "evidence_digest": "sha256:0"}
    forged = await live.ask(Verb.REPORT_EVIDENCE, WATCH_ACTOR, "nothing has changed", **named)
    assert (forged.outcome, (await live.view()).last_evidence_at) == (Outcome.REFUSED, heard)
    await live.days(2)
    after = await live.view()
    assert heard is not None
    assert after.last_evidence_at is not None
    assert after.last_evidence_at > heard
    assert after.status is Status.RUNNING
    await stop_now(live)


async def paused(live: Live) -> bool:
    view = await live.view()
    return view.pause is not None and view.pause.cause is PauseCause.GUARDRAIL


EACH: dict[str, Scenario] = {
    "each_question": Scenario(each_question, patient_plan),
    "no_text": Scenario(no_text),
    "heard_while_behind": Scenario(heard_while_behind, patient_plan),
    "proven_words": Scenario(proven_words, patient_plan),
}
