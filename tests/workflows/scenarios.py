"""The paths a rollout can take, each on real servers: tests run them, and their histories are recorded for replay."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeAlias

import asyncpg
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from models.command import WATCH_ACTOR, Verb
from models.log import EntryKind, LogEntry, Outcome
from models.plan import Fate, RolloutPlan
from models.rollout import HoldKind, PauseCause, Status
from tests.facts import silence, slump
from tests.plans import PILOT, make_plan, plan_data
from tests.worker.process import patiently
from tests.workflows.live import Live

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass(frozen=True)
class Scenario:
    """A path: the plan it runs, what is done to the facts beforehand, and what people do."""

    play: Callable[[Live, Pool], Awaitable[None]]
    plan: Callable[[], RolloutPlan] = make_plan
    facts: tuple[Callable[[Pool], Awaitable[None]], ...] = field(default=())


async def to_pilot(live: Live) -> None:
    await live.confirm_all()
    await live.decide("sponsor")
    await live.until_phase("pilot")


async def _to_gate(live: Live) -> None:
    """As far as the gate into scale."""
    await to_pilot(live)
    await live.days(15)
    await live.ask(Verb.REVIEW, "sponsor")
    await live.until_phase("validate")
    await live.until_status(Status.AWAITING_APPROVAL)


async def _told_at_enrolments(live: Live) -> list[list[str]]:
    """Of each enrolment, everything that the log was given up to then: before it, or in the same transaction."""
    told: list[str] = []
    found = []
    for event in (await live.handle.fetch_history()).events:
        asked = event.activity_task_scheduled_event_attributes
        if asked.activity_type.name in ("record_decisions", "enrol_partners"):
            body = json.loads(asked.input.payloads[0].data)
            told += [one["message"] for one in (body.get("record") or body).get("entries", ())]
            if asked.activity_type.name == "enrol_partners":
                found.append(list(told))
    return found


async def happy(live: Live, pool: Pool) -> None:
    await _to_gate(live)
    await live.decide("sponsor", "finance_owner")
    await live.until_phase("scale", 1)
    await live.decide("sponsor")
    await live.until_phase("scale", 2)
    await live.ask(Verb.REVIEW, "sponsor")
    result = await live.handle.result()
    assert result.status == Status.COMPLETED
    assert result.enrolled == ("pilot", "wave-one", "wave-two")
    stored = await live.stored_log(pool)
    assert [row["sequence"] for row in stored] == list(range(1, result.entries + 1))
    told, why = (
        await _told_at_enrolments(live),
        [f"Entered {one}" for one in ("pilot", "scale, wave 1", "scale, wave 2")],
    )
    assert [entries[-1].partition(":")[0] for entries in told] == why
    assert await pool.fetchval("select count(*) from enrolment where withdrawn_at is null") == 36


async def breach_pause_resume(live: Live, pool: Pool) -> None:
    """The SLA slumps: the rollout pauses by itself, refuses to resume too early, and resumes on good evidence."""
    await to_pilot(live)
    view = await live.until_status(Status.PAUSED)
    assert view.pause is not None
    assert view.pause.cause is PauseCause.GUARDRAIL
    assert view.pause.must_act == ("revops_owner",)
    assert set(view.pause.partners) <= set(PILOT)
    assert view.pause.partners
    assert view.pause.leads
    assert view.phase_clock is not None
    served = view.phase_clock.served
    assert (await live.ask(Verb.RESUME, "revops_owner")).outcome is Outcome.REFUSED
    assert (await live.ask(Verb.RESUME, "finance_owner")).outcome is Outcome.REFUSED
    await live.days(20)
    view = await live.view()
    assert view.phase_clock is not None
    assert view.phase_clock.served == served
    await live.ask(Verb.REVIEW, "sponsor")
    await live.days(15)
    receipt = await live.ask(Verb.RESUME, "revops_owner", reason="the desk is staffed again")
    assert receipt.outcome is Outcome.APPLIED, receipt
    await live.until_phase("validate")
    told = await pool.fetch("select contact from notice where kind = 'paused'")
    assert "rev.ops@example.com" in {row["contact"] for row in told}
    await stop_now(live)


async def forged_words(live: Live, pool: Pool) -> None:
    """Signals that claim to be the watch's name evidence that is none, is the baselines', or was dealt with before a
    resume: each time the rollout looks for itself, and goes on. What the watch itself names, it acts on."""
    await to_pilot(live)
    await soon(live, pilot_enrolled, "the pilot is not enrolled")
    baseline = (await live.view()).baselines[0].evidence_digest
    for digest in ("sha256:" + "0" * 64, baseline):
        await _claim(live, digest)
        assert (await live.view()).status is Status.RUNNING
    await live.until_status(Status.PAUSED)
    paused = next(entry for entry in reversed(await live.log()) if entry.kind is EntryKind.PAUSE)
    seen = await pool.fetchval(
        "select body ->> 'snapshot_digest' from evidence where digest = $1", paused.evidence_digest
    )
    assert await pool.fetchval("select purpose from evidence where digest = $1", seen) == "watch"

    async def whole(live: Live) -> bool:
        return any(entry.programme_at > paused.programme_at for entry in await _looks(live))

    await soon(live, whole, "no look at everything followed the pause")
    await live.days(20)
    await live.ask(Verb.REVIEW, "sponsor")
    await live.days(15)
    assert (await live.ask(Verb.RESUME, "revops_owner")).outcome is Outcome.APPLIED
    await _claim(live, seen)
    assert (await live.view()).pause is None
    await stop_now(live)


async def _claim(live: Live, digest: str) -> None:
    """A breach reported in the watch's name, and the rollout's own look that follows."""
    before, view = len(await _looks(live)), await live.view()
    breach = {"metric": "lead_follow_up_sla", "cohort": "pilot", "as_of": view.programme_now.isoformat()}
    assert (
        await live.ask(Verb.REPORT_BREACH, WATCH_ACTOR, **breach, snapshot_digest=digest)
    ).outcome is Outcome.APPLIED

    async def looked(live: Live) -> bool:
        return len(await _looks(live)) > before

    await soon(live, looked, "the rollout did not look for itself")


async def pilot_enrolled(live: Live) -> bool:
    return (await live.view()).cohorts[0].state == "enrolled"


async def soon(live: Live, so: Callable[[Live], Awaitable[bool]], otherwise: str) -> None:
    """Without letting programme time pass."""

    async def look() -> bool | None:
        return await so(live) or None

    await patiently(look, lambda: otherwise)


async def _looks(live: Live) -> list[LogEntry]:
    return [entry for entry in await live.log() if entry.kind is EntryKind.ASSESSMENT and "verdicts" in entry.detail]


async def rejection(live: Live, pool: Pool) -> None:
    """An owner rejects: the rollout pauses; after a resume it asks again, on fresh evidence."""
    await _to_gate(live)
    await live.decide("sponsor")
    await live.decide("finance_owner", choice="reject", reason="not convinced")
    view = await live.until_status(Status.PAUSED)
    assert view.pause is not None
    assert view.pause.cause is PauseCause.REJECTION
    assert (await live.ask(Verb.RESUME, "sponsor")).outcome is Outcome.APPLIED
    view = await live.until_status(Status.AWAITING_APPROVAL)
    assert view.gate is not None
    assert view.gate.approvals == ()
    await stop_now(live)


async def stopped(live: Live, pool: Pool) -> None:
    """Stopped in the first wave: the pilot stays, the wave is taken back."""
    await _to_gate(live)
    await live.decide("sponsor", "finance_owner")
    await live.until_phase("scale", 1)
    await live.days(1)
    await stop_now(live)
    kept = await pool.fetch("select cohort, count(*) from enrolment where withdrawn_at is null group by cohort")
    assert {row["cohort"]: row["count"] for row in kept} == {"pilot": 12}


async def stop_now(live: Live, finished: Fate = Fate.KEEP, current: Fate = Fate.WITHDRAW) -> None:
    fates = {"finished": finished, "current": current, "pending": Fate.KEEP}
    assert (await live.ask(Verb.STOP, "sponsor", resolution=fates)).outcome is Outcome.APPLIED
    assert (await live.handle.result()).status == Status.STOPPED


async def malformed_requests(live: Live, pool: Pool) -> None:
    """Whatever is sent, the rollout lives on, and each attempt is an entry."""
    await live.handle.signal("decide")
    await live.handle.signal("decide", args=[1, 2, 3])
    await live.handle.signal("pause", "not an object")
    await live.handle.signal("pause", {"request_id": "short", "actor": 3})
    await live.handle.signal("no-such-signal", {"x": 1})
    await live.handle.signal("resume", RawValue(Payload(metadata={"encoding": b"binary/plain"}, data=b"\x00\xff")))
    await live.signal(Verb.PAUSE, "stranger@example.com")
    await live.signal(Verb.REPORT_EVIDENCE, "sponsor", as_of="2026-01-05T00:00:00Z", changed=True, evidence_digest="x")
    receipt = await live.handle.execute_update("no_such_update", {"x": 1})
    assert receipt["outcome"] == "refused"
    await live.confirm_all()
    refusals = [entry for entry in await live.log() if entry.kind is EntryKind.REFUSAL]
    assert len(refusals) == 9, [entry.message for entry in refusals]
    assert (await live.until_status(Status.AWAITING_APPROVAL)).refused == 9
    await stop_now(live)
    events = (await live.handle.fetch_history()).events
    assert not [event for event in events if event.HasField("workflow_task_failed_event_attributes")]


async def cancelled(live: Live, pool: Pool) -> None:
    """Somebody cancels the workflow in the Temporal UI: that is no way to end a rollout, and it goes on."""
    await to_pilot(live)
    await live.handle.cancel()
    await live.days(1)
    (refusal,) = [entry for entry in await live.log() if entry.verb == "cancel"]
    assert refusal.outcome is Outcome.REFUSED
    assert "`stop`" in (refusal.refusal or "")
    assert (await live.view()).status is Status.RUNNING
    assert await pool.fetchval("select count(*) from enrolment where withdrawn_at is null") == 12
    await stop_now(live)


async def undecodable_requests(live: Live, pool: Pool) -> None:
    """Payloads that nothing here can decode, and the same request twice: nothing is dropped without a word."""
    for payload in _UNDECODABLE:
        await live.handle.signal("pause", RawValue(payload))
    await live.handle.signal("no-such-signal", RawValue(_UNDECODABLE[0]))
    await live.handle.signal("x" * 1000, args=["one", RawValue(_UNDECODABLE[1])])
    await live.handle.signal("stop", args=[{}, {}, {}])
    await live.confirm_all()
    twice = live.payload("sponsor", reason="noted")
    for _ in range(2):
        await live.handle.signal("acknowledge", twice)
    refused = len(_UNDECODABLE) + 4
    assert (await live.until_status(Status.AWAITING_APPROVAL)).refused == refused
    refusals = [entry for entry in await live.log() if entry.kind is EntryKind.REFUSAL]
    assert len(refusals) == refused, [entry.message for entry in refusals]
    assert all(len(entry.message) < 700 for entry in refusals)
    assert "duplicate" in (refusals[-1].refusal or "")
    await stop_now(live)
    events = (await live.handle.fetch_history()).events
    assert not [event for event in events if event.HasField("workflow_task_failed_event_attributes")]


async def stale_and_duplicate(live: Live, pool: Pool) -> None:
    """A decision on evidence that has changed is refused; a repeated request counts once."""
    await _to_gate(live)
    view = await live.view()
    assert view.gate is not None
    old = view.gate.digest
    await live.ask(
        Verb.REPORT_BREACH,
        "sponsor",
        metric="lead_follow_up_sla",
        cohort="pilot",
        as_of=view.programme_now.isoformat(),
    )
    await live.days(1)
    assert "stale" in (await live.decide("sponsor", evidence_digest=old)).message
    view = await live.view()
    assert view.gate is not None
    payload = live.payload(
        "sponsor",
        gate=view.gate.key,
        choice="approve",
        plan_digest=view.plan_digest,
        evidence_digest=view.gate.digest,
    )
    for _ in range(2):
        await live.handle.signal("decide", payload)
    view = await live.view()
    assert view.gate is not None
    assert len(view.gate.approvals) == 1
    assert any("duplicate" in (entry.refusal or "") for entry in await live.log())
    await stop_now(live)


async def no_evidence_holds(live: Live, pool: Pool) -> None:
    """The source of leads falls silent: the gate does not open, and the hold lifts when data return."""
    await to_pilot(live)
    await live.days(15)
    await live.ask(Verb.REVIEW, "sponsor")
    view = await live.until_status(Status.HOLDING)
    assert [hold.kind for hold in view.holds] == [HoldKind.EVIDENCE]
    assert view.gate is None
    await live.ask(Verb.REVIEW, "sponsor")
    await live.until_phase("validate")
    await stop_now(live)


async def maintain(live: Live, pool: Pool) -> None:
    """Option A: measured, logged, reviewed; nobody is enrolled."""
    await live.confirm_all()
    await live.until_phase("validate")
    await live.days(10)
    assert (await live.view()).phase == "validate"
    await live.ask(Verb.REVIEW, "sponsor")
    assert (await live.handle.result()).status == Status.COMPLETED
    assert await pool.fetchval("select count(*) from enrolment") == 0


async def redesign(live: Live, pool: Pool) -> None:
    """Option C: everybody at once, three roles agree."""
    await live.confirm_all()
    await live.decide("sponsor", "finance_owner")
    assert await pool.fetchval("select count(*) from enrolment") == 0
    await live.decide("compliance_owner")
    await live.days(15)
    await live.ask(Verb.REVIEW, "sponsor")
    assert (await live.handle.result()).status == Status.COMPLETED
    assert await pool.fetchval("select count(*) from enrolment") == 36


async def override_lets_a_breach_be(live: Live, pool: Pool) -> None:
    """Two roles let the SLA be until a date; the log shows it as an override, and it ends."""
    await to_pilot(live)
    view = await live.until_status(Status.PAUSED)
    until = (view.programme_now + timedelta(days=10)).isoformat()
    for role in ("sponsor", "revops_owner"):
        assert (
            await live.ask(Verb.OVERRIDE, role, metric="lead_follow_up_sla", until=until)
        ).outcome is Outcome.APPLIED
    assert (await live.ask(Verb.RESUME, "revops_owner")).outcome is Outcome.APPLIED
    assert (await live.view()).status is Status.RUNNING
    await live.days(11)
    await live.until_status(Status.PAUSED)
    assert any(entry.kind is EntryKind.OVERRIDE and "expired" in entry.message for entry in await live.log())
    await stop_now(live)


async def automatic_stop(live: Live, pool: Pool) -> None:
    """A stop condition is fulfilled: the rollout stops by itself and takes the pilot back."""
    await to_pilot(live)
    assert (await live.handle.result()).status == Status.STOPPED
    assert await pool.fetchval("select count(*) from enrolment where withdrawn_at is null") == 0


_JSON = {"encoding": b"json/plain"}
_UNDECODABLE = (
    Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"lost"}, data=b"\x8f\x00\xfe" * 20),
    Payload(metadata={"encoding": b"\xff\xfe"}, data=b"{}"),
    Payload(data=b'{"request_id": "no-encoding", "actor": "sam.sponsor@example.com", "reason": "none given"}'),
    Payload(metadata={"encoding": b"binary/null"}),
    Payload(metadata={"encoding": b"json/protobuf", "messageType": b"no.such.Message"}, data=b'{"seconds": 1}'),
    Payload(metadata=_JSON, data=b'{"request_id": "cut-off-he'),
    Payload(metadata=_JSON, data=b'{"reason": "\xff\xfe\xfd", "actor": "\xc3"}'),
    Payload(metadata=_JSON, data=b"[" * 10_000),
    Payload(metadata=_JSON, data=b'{"request_id": 1e999, "actor": NaN, "reason": -Infinity}'),
    Payload(metadata=_JSON, data=b""),
)


async def _slump(pool: Pool) -> None:
    await slump(pool, PILOT, date(2026, 1, 12), date(2026, 1, 22))


async def collapse(pool: Pool) -> None:
    await slump(pool, PILOT, date(2025, 12, 10), date(2026, 3, 1))


async def _silence(pool: Pool) -> None:
    await silence(pool, date(2026, 1, 25), date(2026, 2, 14))


def _redesign_plan() -> RolloutPlan:
    rule = {"roles": ["sponsor", "finance_owner", "compliance_owner"], "quorum": 3, "due": "14d"}
    return make_plan(chosen="C", approvals=plan_data()["approvals"] | {"prepare_to_scale": rule})


def patient_plan(**changes: Any) -> RolloutPlan:
    """No stop condition by number, so that a deep slump only pauses."""
    return make_plan(stop_conditions=[{"condition": "a regulator objects"}], **changes)


SCENARIOS: dict[str, Scenario] = {
    "happy": Scenario(happy),
    "breach_pause_resume": Scenario(breach_pause_resume, patient_plan, (_slump,)),
    "forged_words": Scenario(forged_words, patient_plan, (_slump,)),
    "rejection": Scenario(rejection),
    "stopped": Scenario(stopped),
    "malformed_requests": Scenario(malformed_requests),
    "cancelled": Scenario(cancelled),
    "undecodable_requests": Scenario(undecodable_requests),
    "stale_and_duplicate": Scenario(stale_and_duplicate),
    "no_evidence_holds": Scenario(no_evidence_holds, facts=(_silence,)),
    "maintain": Scenario(maintain, lambda: make_plan(chosen="A")),
    "redesign": Scenario(redesign, _redesign_plan),
    "override": Scenario(override_lets_a_breach_be, patient_plan, (_slump,)),
    "automatic_stop": Scenario(automatic_stop, facts=(collapse,)),
}
