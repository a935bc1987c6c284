"""What a run's log amounts to: gates that were voided, holds that overlap, days that count once, reasons of silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from learning import backtest as learnt
from models.backtest import End, Look, Outcome, Trace
from models.evidence import Assessment, Verdict
from models.log import EntryKind, LogEntry
from models.log import Outcome as Came
from models.metric import MetricName
from models.rollout import Status
from tests.judgement.readings import judged, reading
from tests.plans import make_plan

BEGINS = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = make_plan()
SLA = MetricName.LEAD_FOLLOW_UP_SLA


def entry(day: float, kind: EntryKind, message: str, **fields: Any) -> LogEntry:
    at = BEGINS + day * DAY
    return LogEntry(sequence=1, at=at, programme_at=at, kind=kind, phase="validate", message=message, **fields)


def trace(*log: LogEntry, status: Status = Status.RUNNING, days: int = 30, **changes: Any) -> Trace:
    found = Trace(PLAN, BEGINS, BEGINS + days * DAY, status.value, "", {"pilot": 12}, log, (), ())
    return found._replace(**changes)


def opened(day: float) -> LogEntry:
    return entry(day, EntryKind.PHASE, "Gate validate_to_scale opened: 2 of three", gate="validate_to_scale")


def approved(day: float, role: str) -> LogEntry:
    who = PLAN.holders(role)[0].identity
    fields = {"verb": "decide", "actor": who, "role": role, "outcome": Came.APPLIED, "gate": "validate_to_scale"}
    return entry(day, EntryKind.DECISION, "approved", **fields)


def confirmed(day: float) -> list[LogEntry]:
    fields = {"verb": "confirm_ownership", "outcome": Came.APPLIED}
    return [
        entry(day, EntryKind.DECISION, "confirmed", actor=one.identity, role=one.role, **fields) for one in PLAN.owners
    ]


def gate(found: Trace, number: int = -1) -> Any:
    return learnt.gates(found)[number]


def test_a_gate_passes_when_the_next_phase_is_entered() -> None:
    log = (
        opened(3),
        approved(5, "sponsor"),
        approved(6, "finance_owner"),
        entry(6, EntryKind.PHASE, "Entered scale: x"),
    )
    found = gate(trace(*log))
    assert (found.outcome, found.days) == (Outcome.PASSED, 3)
    assert [(one.role, one.days) for one in found.answers] == [("sponsor", 2), ("finance_owner", 3)]
    assert found.missing == ("com.pliance@example.com",)


def test_a_gate_that_a_pause_closes_is_voided_and_the_next_one_is_another() -> None:
    log = (opened(3), approved(4, "sponsor"), entry(5, EntryKind.PAUSE, "Paused (guardrail): SLA"), opened(9))
    first, second = learnt.gates(trace(*log))[1:]
    assert (first.outcome, first.days, first.void) == (Outcome.VOIDED, 2, "Paused (guardrail): SLA")
    assert (second.outcome, second.answers, second.days) == (Outcome.OPEN, (), 21)


def test_a_gate_that_the_evidence_closes_is_voided() -> None:
    closed = entry(5, EntryKind.HOLD, "Gate validate_to_scale closed, 0 approvals void: margin")
    assert gate(trace(opened(3), closed)).outcome is Outcome.VOIDED


def test_a_refused_decision_is_no_answer() -> None:
    refused = approved(4, "sponsor").model_copy(update={"outcome": Came.REFUSED, "kind": EntryKind.REFUSAL})
    found = gate(trace(opened(3), refused))
    assert not found.answers
    assert "sam.sponsor@example.com" in found.missing


def test_an_overdue_gate_is_said_to_be() -> None:
    overdue = entry(10, EntryKind.HOLD, "Holding (approval overdue): gate validate_to_scale was due")
    found = trace(opened(3), overdue)
    assert gate(found).overdue
    assert gate(found).due_at == BEGINS + 10 * DAY


def test_ownership_is_over_when_the_last_owner_has_confirmed() -> None:
    log = confirmed(2)[:-1]
    waiting = gate(trace(*log), 0)
    assert (waiting.outcome, waiting.missing) == (Outcome.OPEN, (PLAN.owners[-1].identity,))
    done = gate(trace(*log, confirmed(4)[-1]), 0)
    assert (done.outcome, done.days, done.until) == (Outcome.PASSED, 4, BEGINS + 4 * DAY)


def test_days_on_which_two_things_wait_count_once() -> None:
    log = (
        *confirmed(4),
        entry(10, EntryKind.HOLD, "Holding (evidence): none"),
        entry(12, EntryKind.HOLD, "Holding (outcome): margin"),
        entry(14, EntryKind.RELEASE, "Hold released (evidence): none"),
        entry(16, EntryKind.RELEASE, "Hold released (outcome): margin"),
        entry(20, EntryKind.HOLD, "Holding (review missed): checkpoint 1"),
    )
    drag = learnt.drag(trace(*log))
    assert (drag.total, drag.people, drag.data, drag.paused) == (30, 4 + 10, 6, 0)


def test_a_hold_whose_reason_changes_is_one_hold() -> None:
    log = (
        entry(10, EntryKind.HOLD, "Holding (evidence): none"),
        entry(11, EntryKind.HOLD, "Holding (evidence): still none"),
        entry(12, EntryKind.RELEASE, "Hold released (evidence): still none"),
    )
    [hold] = learnt.holds(trace(*log))
    assert (hold.days, hold.detail) == (2, "none")


def test_a_pause_tells_refused_resumes_and_who_resumed() -> None:
    asked = {"verb": "resume", "actor": "rev.ops@example.com"}
    log = (
        entry(5, EntryKind.PAUSE, "Paused (guardrail): SLA", detail={"must_act": ["revops_owner"]}),
        entry(7, EntryKind.RESUME, "asked", outcome=Came.PENDING, **asked),
        entry(7, EntryKind.REFUSAL, "Resume refused", outcome=Came.REFUSED, **asked),
        entry(14, EntryKind.RESUME, "asked", outcome=Came.PENDING, **asked),
        entry(14, EntryKind.RESUME, "Resumed", outcome=Came.APPLIED, **asked),
    )
    [pause] = learnt.pauses(trace(*log))
    assert (pause.cause, pause.why, pause.must_act) == ("guardrail", "SLA", ("revops_owner",))
    assert (pause.refused, pause.days, pause.ended, pause.by) == (1, 9, "resumed", "rev.ops@example.com")


def test_agreeing_to_a_stop_does_not_end_a_pause_and_the_stop_does() -> None:
    paused = entry(5, EntryKind.PAUSE, "Paused (person): looks odd")
    agreed = entry(6, EntryKind.STOP, "Sam Sponsor agrees to stop: keep (1 of 2)")
    stopping = entry(
        8, EntryKind.STOP, "Stopping: Sam Sponsor: enough (finished keep)", actor="sam.sponsor@example.com"
    )
    [open_pause] = learnt.pauses(trace(paused, agreed))
    assert open_pause.until is None
    [pause] = learnt.pauses(trace(paused, agreed, stopping))
    assert (pause.ended, pause.days) == ("stopped", 3)


def test_a_silence_lasts_until_another_verdict_and_has_the_reasons_of_its_first_day() -> None:
    verdicts = (Verdict.MET, Verdict.NO_EVIDENCE, Verdict.NO_EVIDENCE, Verdict.CANNOT_TELL, Verdict.MET)
    looks = tuple(Look("pilot", SLA, BEGINS + day * DAY, None, verdict) for day, verdict in enumerate(verdicts))
    dark = judged(reading()).model_copy(
        update={"cohort": "pilot", "verdict": Verdict.NO_EVIDENCE, "reasons": ("9 days old",)}
    )
    kept = Assessment(evidence_id="a", digest="d", snapshot_digest="s", as_of=BEGINS + DAY, items=(dark,))
    first, second = learnt.silences(trace(looks=looks, assessments=(kept,)))
    assert (first.verdict, first.since, first.days, first.reasons) == (
        Verdict.NO_EVIDENCE,
        BEGINS + DAY,
        2,
        ("9 days old",),
    )
    assert (second.verdict, second.days, second.reasons) == (Verdict.CANNOT_TELL, 1, ())
    [course] = learnt.courses(trace(looks=looks))
    assert course.counts == {Verdict.MET: 2, Verdict.NOT_MET: 0, Verdict.CANNOT_TELL: 1, Verdict.NO_EVIDENCE: 2}


def test_how_it_stands_at_the_end() -> None:
    def end(found: Trace) -> End:
        return learnt.end_of(found, learnt.gates(found))

    there = tuple(confirmed(1))
    assert end(trace(*there, status=Status.COMPLETED)) is End.COMPLETED
    assert end(trace(*there, status=Status.STOPPED)) is End.STOPPED
    assert end(trace(*there, status=Status.PAUSED)) is End.PAUSED
    assert end(trace(*there)) is End.UNFINISHED
    assert end(trace()) is End.WAITS, "nobody has confirmed"
    assert end(trace(*there, opened(3))) is End.WAITS
    missed = entry(20, EntryKind.HOLD, "Holding (review missed): checkpoint 1")
    assert end(trace(*there, missed)) is End.WAITS
    silent = entry(20, EntryKind.HOLD, "Holding (evidence): none")
    assert end(trace(*there, silent)) is End.UNFINISHED
