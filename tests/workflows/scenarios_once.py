"""The paths of a rollout that hears day by day that nothing has changed, and then nothing more, of one whose look
fails, and of one that is paused in an owner's place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from models.command import DailyWord, Verb
from models.log import EntryKind, Outcome
from models.names import WATCH_ID
from models.rollout import HoldKind, Status
from tests.workflows.live import Live
from tests.workflows.scenarios import Pool, Scenario, patient_plan, pilot_enrolled, soon, stop_now, to_pilot

TOGETHER = "look_at_metrics"
APART = ("fetch_metrics", "assess_thresholds")
MINUTE = timedelta(minutes=1)
DEPUTY = "dee.deputy@example.com"


async def once_words(live: Live, pool: Pool) -> None:
    """The timer that waits for the watch's silence is set anew with its words, and never fires for nothing; once the
    watch is silent the rollout holds no later than its plan says."""
    await to_pilot(live)
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    await live.days(12)
    first, *rest = _since_the_first_short_word((await live.handle.fetch_history()).events)
    assert len([one for one in rest if is_short_word(one)]) >= 6
    assert not [one for one in (first, *rest) if one.event_type == EventType.EVENT_TYPE_TIMER_FIRED]
    started = [one for one in rest if one.event_type == EventType.EVENT_TYPE_TIMER_STARTED]
    assert 0 < len(started) < len([one for one in rest if is_short_word(one)])
    await live.client.get_workflow_handle(WATCH_ID).terminate("the watch falls silent")
    view = await live.until_status(Status.HOLDING, within_days=6)
    [hold] = view.holds
    assert hold.kind is HoldKind.WATCH_SILENT
    assert view.last_evidence_at is not None
    silent = hold.since - view.last_evidence_at
    assert timedelta(0) <= silent - live.plan.phases.watchdog < timedelta(hours=1)
    await stop_now(live)


def is_short_word(event: HistoryEvent) -> bool:
    """Whether the watch says that nothing has changed, and no more."""
    sent = event.workflow_execution_signaled_event_attributes.input.payloads
    return bool(sent) and DailyWord.has(json.loads(sent[0].data).keys())


def _since_the_first_short_word(events: Sequence[HistoryEvent]) -> Sequence[HistoryEvent]:
    return events[next(at for at, event in enumerate(events) if is_short_word(event)) :]


async def fewer_apart(live: Live, pool: Pool) -> None:
    """A look that could keep nothing is done in its two parts from then on; once they have worked, the next look is one
    step again."""
    await to_pilot(live)
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    assert (await live.ask(Verb.PAUSE, "sponsor")).outcome is Outcome.APPLIED
    before = len(await _looks(live))
    await pool.execute("alter table evidence rename to away")
    # Nothing comes of it before there was a look.
    await live.signal(Verb.RESUME, "sponsor")
    for _ in range(20):
        if APART[0] in (await _looks(live))[before:]:
            break
        await live.env.sleep(MINUTE)
    await pool.execute("alter table away rename to evidence")
    await live.until_status(Status.RUNNING)
    await live.days(2)
    names = (await _looks(live))[before:]
    first, judged = names.index(APART[0]), names.index(APART[1])
    assert set(names[:first]) == {TOGETHER}
    assert set(names[first:judged]) == {APART[0]}, "as often as it had to be tried, and nothing else in between"
    assert len(names) > judged + 1
    assert set(names[judged + 1 :]) == {TOGETHER}
    await stop_now(live)


async def fewer_in_place(live: Live, pool: Pool) -> None:
    """Somebody acts for an owner, pauses in their place, and resumes; what came of it on fresh evidence names both."""
    await to_pilot(live)
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    until = (await live.view()).programme_now + timedelta(days=30)
    given: dict[str, Any] = {"identity": DEPUTY, "name": "Dee Deputy", "until": until}
    assert (await live.ask(Verb.DELEGATE, "sponsor", **given)).outcome is Outcome.APPLIED
    assert (await live.ask(Verb.PAUSE, DEPUTY)).outcome is Outcome.APPLIED
    assert (await live.view()).status is Status.PAUSED
    await live.signal(Verb.RESUME, DEPUTY)
    await live.until_status(Status.RUNNING)
    asked, settled = [one for one in await live.log() if one.kind is EntryKind.RESUME]
    assert (asked.outcome, settled.outcome) == (Outcome.PENDING, Outcome.APPLIED)
    assert (settled.actor, settled.detail["on_behalf_of"]) == (DEPUTY, asked.detail["on_behalf_of"])
    await stop_now(live)


async def _looks(live: Live) -> list[str]:
    """The activities by which it has looked at its numbers, in the order in which they were asked for."""
    events = (await live.handle.fetch_history()).events
    names = [one.activity_task_scheduled_event_attributes.activity_type.name for one in events]
    return [name for name in names if name in (TOGETHER, *APART)]


ONCE: dict[str, Scenario] = {
    "once_words": Scenario(once_words, patient_plan),
    "fewer_apart": Scenario(fewer_apart, patient_plan),
    "fewer_in_place": Scenario(fewer_in_place, patient_plan),
}
