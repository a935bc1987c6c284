"""A rollout that is asked for a look while it takes one, on real servers."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

from models.command import WATCH_ACTOR, Verb
from models.log import EntryKind
from models.rollout import PauseCause, Status
from tests.plans import PILOT
from tests.worker.process import patiently
from tests.workflows.live import Live
from tests.workflows.scenarios import Pool, Scenario, patient_plan, pilot_enrolled, soon, stop_now, to_pilot

MISSED = """
insert into lead (source_system, source_id, partner_id, assigned_at, contact_due_at, known_at)
select 'late', id || '-' || number, id, $2::timestamptz - interval '2 days' - number * interval '7 minutes',
       $2::timestamptz - interval '1 hour', $2
from unnest($1::text[]) id, generate_series(1, 20) number
"""
MOMENT = timedelta(milliseconds=1)


async def asked_meanwhile(live: Live, pool: Pool) -> None:
    """Numbers are being read when leads turn out to have been missed and a breach is reported: what was read shows
    nothing of it and is no answer, so the rollout reads again, and pauses."""
    await to_pilot(live)
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    await live.days(10)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("lock table lead in access exclusive mode")
        as_of = (await live.view()).programme_now
        await live.signal(Verb.REPORT_EVIDENCE, WATCH_ACTOR, as_of=as_of, changed=True, evidence_digest="sha256:0")
        read = await being_read(live)
        await conn.execute(MISSED, PILOT, read + MOMENT)
        await asyncio.sleep(0.1)
        breach: dict[str, Any] = {"metric": "lead_follow_up_sla", "cohort": "pilot", "as_of": read + MOMENT}
        await live.ask(Verb.REPORT_BREACH, WATCH_ACTOR, **breach, snapshot_digest="sha256:" + "0" * 64)

    async def paused(live: Live) -> bool:
        return (await live.view()).status is Status.PAUSED

    await soon(live, paused, "what was reported meanwhile was lost")
    pause = (await live.view()).pause
    assert pause is not None
    assert pause.cause is PauseCause.GUARDRAIL
    told = [
        entry.detail["verdicts"]["pilot/lead_follow_up_sla"]
        for entry in await live.log()
        if entry.kind is EntryKind.ASSESSMENT and "verdicts" in entry.detail and entry.programme_at >= read
    ]
    assert told[:2] == ["met", "not met"]
    await stop_now(live)


async def being_read(live: Live) -> datetime:
    """The programme time of the numbers that an activity is reading right now."""

    async def look() -> datetime | None:
        asked: dict[int, datetime] = {}
        for event in (await live.handle.fetch_history()).events:
            scheduled = event.activity_task_scheduled_event_attributes
            if scheduled.activity_type.name in ("fetch_metrics", "look_at_metrics"):
                body = json.loads(scheduled.input.payloads[0].data)
                asked[event.event_id] = datetime.fromisoformat(body["as_of"])
            asked.pop(event.activity_task_completed_event_attributes.scheduled_event_id, None)
        return max(asked.values(), default=None)

    return await patiently(look, lambda: "no numbers are being read")


ASKED: dict[str, Scenario] = {"asked_meanwhile": Scenario(asked_meanwhile, patient_plan)}
