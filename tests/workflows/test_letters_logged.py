"""Each letter that a rollout writes is named by its log, in the step and the record of what it is about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from models.command import Verb
from models.evidence import StopTrigger, Verdict
from models.letter import NAMED, NamedLetter, digest_of, letters_of, named, place_of, said
from models.log import EntryKind, LogEntry
from models.metric import MetricName
from models.plan import Fate, StopResolution
from models.rollout import AGREEMENT_LETTER, Notice, Phase, Status
from tests.plans import make_plan
from tests.workflows.simulator import Simulator
from workflows.journal import Now, notify, write
from workflows.step import Step, StepKind
from workflows.steps import advance, next_step
from workflows.wire import in_short

SLA = MetricName.LEAD_FOLLOW_UP_SLA
DAY = timedelta(days=1)
KEEP = StopResolution(finished=Fate.KEEP, current=Fate.KEEP, pending=Fate.KEEP)
WITHDRAW = StopResolution(finished=Fate.WITHDRAW, current=Fate.WITHDRAW, pending=Fate.KEEP)


def to_the_end(rollout: Simulator) -> None:
    rollout.to_scale()
    rollout.wait(16 * DAY)
    rollout.decide("sponsor")
    rollout.wait(8 * DAY)
    assert rollout.status is Status.COMPLETED


def a_pause_and_a_resume(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.verdicts = {SLA: Verdict.NOT_MET}
    rollout.ask(Verb.REPORT_BREACH, "sponsor", metric=SLA, cohort="pilot", as_of=rollout.now)
    rollout.verdicts = {}
    rollout.ask(Verb.RESUME, "revops_owner")
    rollout.wait(4 * DAY, watched=False)
    rollout.wait(22 * DAY)


def a_stop(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.broken.add(StepKind.WITHDRAW)
    rollout.ask(Verb.STOP, "sponsor", resolution=WITHDRAW)
    rollout.broken.clear()
    rollout.wait(DAY)


def a_stop_by_itself(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.stop = (StopTrigger(condition="the SLA collapses", metric=SLA, cohort="pilot", value=10.0),)
    rollout.ask(Verb.REPORT_BREACH, "sponsor", metric=SLA, cohort="pilot", as_of=rollout.now)


PATHS: tuple[Callable[[Simulator], None], ...] = (to_the_end, a_pause_and_a_resume, a_stop, a_stop_by_itself)


def names(entries: list[LogEntry]) -> dict[tuple[int, str], NamedLetter]:
    found = [one for entry in entries for one in letters_of(entry.detail)]
    told = {(one.about, one.kind): one for one in found}
    assert len(told) == len(found), "a letter is named once"
    return told


def place(notice: Notice) -> tuple[int, str]:
    found = place_of(notice.notice_id, "test-plan", "chain")
    assert found is not None
    return found


@pytest.mark.parametrize("play", PATHS)
def test_the_log_names_every_letter_by_what_it_says_and_whom_it_goes_to(play: Callable[[Simulator], None]) -> None:
    rollout = Simulator(make_plan())
    play(rollout)
    told = names(rollout.recorded)
    assert set(told) == {place(one) for one in rollout.notices}
    assert len(told) >= 4
    for notice in rollout.notices:
        one = told[place(notice)]
        assert (one.to, one.cause) == (notice.roles, notice.cause)
        assert notice.to, "whom it goes to is settled"
        about = said(rollout.plan, notice)
        assert one.digest == digest_of(notice.kind, notice.subject, notice.body, about, notice.to)


@pytest.mark.parametrize("play", PATHS)
def test_it_costs_no_step_more(play: Callable[[Simulator], None], monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    do = Simulator._perform

    def perform(rollout: Simulator, step: Step) -> None:
        steps.append(step.kind)
        do(rollout, step)

    monkeypatch.setattr(Simulator, "_perform", perform)
    play(Simulator(make_plan(), letters=AGREEMENT_LETTER))
    before, steps[:] = steps[:], []
    play(Simulator(make_plan()))
    assert steps == before
    assert len(steps) > 10


def test_a_rollout_of_an_earlier_release_names_none_and_writes_the_letters_it_wrote() -> None:
    old, new = Simulator(make_plan(), letters=AGREEMENT_LETTER), Simulator(make_plan())
    for rollout in (old, new):
        to_the_end(rollout)
    assert names(old.recorded) == {}
    assert {one.to for one in old.notices} == {()}
    assert [(one.kind, one.roles, one.body) for one in old.notices] == [
        (one.kind, one.roles, one.body) for one in new.notices
    ]
    letters = [one for one in new.recorded if one.message.startswith("Letter written (")]
    assert len(new.recorded) == len(old.recorded) + len(letters)


def test_a_notice_of_the_log_names_its_letter_itself_and_says_nothing_twice() -> None:
    rollout = Simulator(make_plan())
    rollout.to_validate()
    rollout.wait(16 * DAY)
    [begun] = [one for one in rollout.recorded if one.message.startswith("Plan communicated to ")]
    assert [one.kind for one in letters_of(begun.detail)] == ["communicate", "confirm"]
    reminders = [one for one in rollout.recorded if one.message.startswith("Reminder: ")]
    assert reminders
    for one in reminders:
        assert [letter.kind for letter in letters_of(one.detail)] == ["reminder"]
    own = [one for one in rollout.recorded if one.message.startswith("Letter written (")]
    kinds = {letter.kind for one in own for letter in letters_of(one.detail)}
    assert "escalation" in kinds
    assert kinds.isdisjoint({"communicate", "confirm", "reminder"})


def test_a_letter_of_the_log_says_what_it_is_and_of_which_gate_and_stays_small() -> None:
    rollout = Simulator(make_plan())
    rollout.confirm_all()
    [entry] = [one for one in rollout.recorded if one.message == "Letter written (awaiting) to sponsor"]
    reason = rollout.recorded[entry.sequence - 2]
    assert (entry.kind, entry.gate) == (EntryKind.NOTICE, "prepare_to_pilot")
    assert reason.message.startswith("Gate prepare_to_pilot opened")
    assert (entry.at, entry.programme_at) == (reason.at, reason.programme_at)
    [one] = letters_of(entry.detail)
    assert one.about == reason.sequence
    assert len(entry.model_dump_json()) < 700


def test_the_last_letter_of_a_rollout_is_named_behind_its_end() -> None:
    rollout = Simulator(make_plan())
    to_the_end(rollout)
    assert [one.message for one in rollout.recorded[-2:]] == [
        "Rollout completed: 3 cohorts enrolled",
        "Letter written (completed) to every owner",
    ]
    assert rollout.recorded[-1].phase == Phase.CLOSE
    assert rollout.settle().kind is StepKind.FINISH


def test_letters_of_an_outage_wait_with_the_entries_that_name_them() -> None:
    rollout = Simulator(make_plan())
    rollout.to_pilot()
    known = len(rollout.notices)
    rollout.broken = {StepKind.RECORD, StepKind.NOTIFY, StepKind.ASSESS}
    rollout.ask(Verb.PAUSE, "finance_owner")
    waiting = rollout.state
    assert [one.kind for one in waiting.notices] == ["paused"]
    assert {place(one) for one in waiting.notices} == set(names(list(waiting.unrecorded)))
    assert len(rollout.notices) == known
    rollout.broken.clear()
    rollout.wait(DAY)
    assert set(names(rollout.recorded)) == {place(one) for one in rollout.notices}


def test_whoever_stands_in_gets_the_letter_that_was_written_while_they_did() -> None:
    """It is settled then: that the time is over when it is recorded changes nothing."""
    rollout = Simulator(make_plan())
    rollout.to_pilot()
    rollout.ask(Verb.DELEGATE, "sponsor", identity="dana@example.com", name="Dana", until=rollout.now + DAY)
    rollout.broken = {StepKind.RECORD, StepKind.NOTIFY}
    rollout.ask(Verb.PAUSE, "finance_owner")
    rollout.wait(2 * DAY, watched=False)
    rollout.broken.clear()
    rollout.wait(DAY)
    [paused] = [one for one in rollout.notices if one.kind == "paused"]
    assert "dana@example.com" in paused.to
    one = names(rollout.recorded)[place(paused)]
    assert one == named(rollout.plan, paused, one.about, paused.to)
    rollout.ask(Verb.RESUME, "sponsor")
    assert [one for one in rollout.notices if one.kind == "resumed" and "dana@example.com" in one.to] == []


def test_an_entry_that_was_handed_to_the_store_is_never_changed() -> None:
    """A second letter about a notice that is being recorded is named by an entry of its own."""
    state = Simulator(make_plan()).state.model_copy(update={"notices": ()})
    at = state.recent[-1]
    now = Now(real=at.at, programme=at.programme_at)
    state = notify(write(state, now, EntryKind.NOTICE, "Reminder: soon"), "reminder", ("sponsor",), "s", "b")
    handed = state.unrecorded[-1]
    assert len(letters_of(handed.detail)) == 1
    state = notify(state.model_copy(update={"recording": handed.sequence}), "awaiting", ("sponsor",), "s", "b")
    assert handed in state.unrecorded
    assert state.unrecorded[-1].message == "Letter written (awaiting) to sponsor"


def test_a_record_is_told_of_by_what_happened_and_not_by_the_letter_about_it() -> None:
    rollout = Simulator(make_plan())
    *most, last = rollout.plan.owners
    for owner in most:
        rollout.ask(Verb.CONFIRM_OWNERSHIP, owner.identity, role=owner.role)
    rollout.receive(Verb.CONFIRM_OWNERSHIP, last.identity, role=last.role)
    state = advance(rollout.state, rollout.moment)
    assert next_step(state, rollout.moment).kind is StepKind.RECORD
    assert NAMED in state.unrecorded[-1].detail
    assert in_short(state.unrecorded).startswith("Gate prepare_to_pilot opened")
    assert in_short(state.unrecorded[-1:]) == "Letter written (awaiting) to sponsor"
