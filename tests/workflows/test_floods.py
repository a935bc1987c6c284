"""Requests in masses, or as large as they can be: the rollout lives on, protects, and what it carries stays bounded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from models.command import COMMANDS, WATCH_ACTOR, Verb
from models.evidence import Verdict
from models.log import EntryKind, Outcome, Receipt
from models.metric import MetricName
from models.plan import Fate, StopResolution
from models.rollout import HoldKind, Status
from tests.plans import make_plan
from tests.workflows.simulator import Simulator
from workflows.asking import refuse
from workflows.journal import BACKLOG
from workflows.requests import quiet
from workflows.step import StepKind

PAYLOAD = 2 * 1024 * 1024
"""Bytes that the server takes in one payload."""

LONG = "長" * 2000
"""The longest reason, in characters of three bytes."""

HOUR = timedelta(hours=1)
SLA = MetricName.LEAD_FOLLOW_UP_SLA


@pytest.fixture
def cut_off() -> Simulator:
    """A pilot whose store is down."""
    rollout = Simulator(make_plan())
    rollout.to_pilot()
    rollout.broken = {StepKind.RECORD, StepKind.ASSESS, StepKind.NOTIFY}
    return rollout


def _flood(rollout: Simulator, requests: int = 1500) -> None:
    for _ in range(requests):
        rollout.ask(Verb.PAUSE, "stranger@example.com", reason=LONG)


def test_a_flood_while_the_store_is_down_leaves_a_state_that_can_be_carried(cut_off: Simulator) -> None:
    _flood(cut_off)
    assert len(cut_off.state.model_dump_json().encode()) < PAYLOAD
    waiting = sum(len(entry.model_dump_json().encode()) for entry in cut_off.state.unrecorded)
    assert waiting < 2 * BACKLOG
    assert cut_off.state.refused == 1500


def test_every_refusal_of_a_flood_is_counted_in_the_log(cut_off: Simulator) -> None:
    _flood(cut_off)
    cut_off.broken = set()
    cut_off.wait(HOUR, watched=False)
    assert cut_off.state.unrecorded == ()
    refusals = [entry for entry in cut_off.recorded if entry.kind is EntryKind.REFUSAL]
    assert sum(entry.detail.get("refusals", 1) for entry in refusals) == 1500
    assert [entry.sequence for entry in cut_off.recorded] == list(range(1, len(cut_off.recorded) + 1))


def test_a_flood_keeps_nobody_from_pausing_and_stopping(cut_off: Simulator) -> None:
    _flood(cut_off)
    assert cut_off.ask(Verb.ACKNOWLEDGE, "sponsor").outcome is Outcome.REFUSED
    assert cut_off.ask(Verb.PAUSE, "finance_owner").outcome is Outcome.APPLIED
    assert cut_off.status is Status.PAUSED
    fates = StopResolution(finished=Fate.KEEP, current=Fate.KEEP, pending=Fate.KEEP)
    assert cut_off.ask(Verb.STOP, "sponsor", resolution=fates).outcome is Outcome.APPLIED
    assert cut_off.status in (Status.STOPPING, Status.STOPPED)


def test_after_a_flood_the_rollout_goes_on(cut_off: Simulator) -> None:
    _flood(cut_off)
    cut_off.broken = set()
    cut_off.wait(HOUR, watched=False)
    assert not any(hold.kind is HoldKind.STORE for hold in cut_off.state.holds)
    assert cut_off.ask(Verb.ACKNOWLEDGE, "sponsor").outcome is Outcome.APPLIED


def _breach(rollout: Simulator, reason: str = "beyond its limit") -> Receipt:
    named = {"metric": SLA, "cohort": "pilot", "as_of": rollout.now, "snapshot_digest": "sha256:1"}
    return rollout.ask(Verb.REPORT_BREACH, WATCH_ACTOR, reason=reason, **named)


def test_a_breach_that_the_watch_tells_of_while_the_log_is_behind_pauses(cut_off: Simulator) -> None:
    """The store is back, but the next try to record is minutes away."""
    _flood(cut_off, 100)
    cut_off.broken = {StepKind.RECORD}
    cut_off.wait(HOUR, watched=False)  # no look is waited for any more
    cut_off.verdicts = {SLA: Verdict.NOT_MET}
    assert _breach(cut_off).outcome is Outcome.APPLIED
    assert cut_off.state.pause is not None
    assert cut_off.state.pause.metrics == (SLA,)


def test_a_breach_told_while_nothing_can_be_read_is_looked_at_once_it_can(cut_off: Simulator) -> None:
    _flood(cut_off, 100)
    cut_off.verdicts = {SLA: Verdict.NOT_MET}
    _breach(cut_off)
    cut_off.report(changed=True)
    assert cut_off.status is Status.HOLDING
    cut_off.broken = set()
    cut_off.wait(HOUR, watched=False)
    assert cut_off.status is Status.PAUSED
    assert cut_off.state.unrecorded == ()


@pytest.mark.parametrize("broken", [{StepKind.RECORD}, {StepKind.RECORD, StepKind.ASSESS}], ids=["log", "store"])
def test_words_in_masses_while_the_log_is_behind_are_counted_and_leave_a_state_that_can_be_carried(
    cut_off: Simulator, broken: set[StepKind]
) -> None:
    """Whoever can speak as the watch can speak often, and in turn with others. A look that comes of it writes an entry,
    so one is taken, and the rest of what is asked waits until the log is written."""
    _flood(cut_off, 100)
    cut_off.broken = broken
    cut_off.wait(HOUR, watched=False)
    before = cut_off.state.unrecorded[-1].sequence
    for _ in range(100):
        _breach(cut_off, reason=LONG)
        cut_off.report(changed=True)
        cut_off.ask(Verb.PAUSE, "stranger@example.com", reason=LONG)
        cut_off.now += timedelta(seconds=1)
    new = [entry for entry in cut_off.state.unrecorded if entry.sequence > before]
    assert sum(len(entry.model_dump_json().encode()) for entry in new) < BACKLOG / 10
    cut_off.broken = set()
    cut_off.wait(HOUR, watched=False)
    assert sum(entry.detail.get("words", 0) for entry in cut_off.recorded) == 200
    assert [entry.sequence for entry in cut_off.recorded] == list(range(1, len(cut_off.recorded) + 1))
    assert cut_off.state.assess_because is None


def test_the_watch_s_daily_word_counts_although_the_log_is_behind(cut_off: Simulator) -> None:
    _flood(cut_off, 100)
    cut_off.now += HOUR
    before = cut_off.state.sequence
    assert (
        cut_off.receive(
            Verb.REPORT_EVIDENCE, WATCH_ACTOR, as_of=cut_off.now, changed=False, evidence_digest="sha256:0"
        ).outcome
        is Outcome.APPLIED
    )
    assert cut_off.state.last_evidence_at == cut_off.now
    assert cut_off.state.sequence == before


def test_a_word_that_shares_an_entry_ends_the_rollout_s_waiting(cut_off: Simulator) -> None:
    _flood(cut_off, 100)
    named: dict[str, Any] = {"as_of": cut_off.now, "changed": True, "evidence_digest": "sha256:0"}
    cut_off.receive(Verb.REPORT_EVIDENCE, WATCH_ACTOR, **named)
    before = cut_off.state
    cut_off.now += HOUR
    cut_off.receive(Verb.REPORT_EVIDENCE, WATCH_ACTOR, **named)
    assert cut_off.state.sequence == before.sequence
    assert not quiet(before, cut_off.state)


def test_only_the_watch_is_heard_while_the_log_is_behind(cut_off: Simulator) -> None:
    _flood(cut_off, 100)
    named: dict[str, Any] = {"metric": SLA, "cohort": "pilot", "as_of": cut_off.now}
    assert cut_off.ask(Verb.REPORT_BREACH, "sponsor", **named).outcome is Outcome.REFUSED
    assert cut_off.state.alarmed_at is None


def test_an_entry_on_its_way_to_the_store_does_not_change_any_more(cut_off: Simulator) -> None:
    _flood(cut_off, 500)
    handed_over = cut_off.state.unrecorded[-1]
    assert handed_over.detail["refusals"] > 1
    cut_off.state = cut_off.state.model_copy(update={"recording": handed_over.sequence})
    cut_off.state = refuse(cut_off.state, "pause", "one more", cut_off.moment)
    assert cut_off.state.unrecorded[-2] == handed_over
    assert cut_off.state.unrecorded[-1].detail == {"refusals": 1}


@pytest.mark.parametrize(
    ("verb", "field"),
    [
        (Verb.DECIDE, "gate"),
        (Verb.DECIDE, "plan_digest"),
        (Verb.DECIDE, "evidence_digest"),
        (Verb.CONFIRM_OWNERSHIP, "role"),
        (Verb.REPORT_BREACH, "cohort"),
        (Verb.REPORT_EVIDENCE, "evidence_digest"),
        (Verb.PAUSE, "reason"),
        (Verb.PAUSE, "actor"),
        (Verb.PAUSE, "request_id"),
    ],
)
def test_no_field_of_a_request_is_without_a_bound(verb: Verb, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        COMMANDS[verb].model_validate({field: "x" * 5000}, strict=False)
    assert (field,) in {tuple(error["loc"]) for error in refused.value.errors() if error["type"] == "string_too_long"}
