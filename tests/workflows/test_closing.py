"""A rollout that ends keeps what it leaves behind; what cannot be kept holds the end for a while, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.command import Verb
from models.kept import KeepResult, Named, named_in
from models.log import EntryKind
from models.plan import Fate, StopResolution
from models.rollout import HoldKind, Phase, Status
from tests.plans import make_plan
from tests.workflows.simulator import Simulator
from workflows.closing import near_its_end
from workflows.step import LEAVES_BEHIND, StepKind

DAY = timedelta(days=1)
BACK = StopResolution(finished=Fate.WITHDRAW, current=Fate.WITHDRAW, pending=Fate.KEEP)


@pytest.fixture
def rollout() -> Simulator:
    return Simulator(make_plan())


def _to_the_end(rollout: Simulator) -> None:
    """Through all waves, as far as the end."""
    rollout.to_scale()
    rollout.wait(8 * DAY)
    rollout.decide("sponsor")
    rollout.wait(8 * DAY)


def _said(rollout: Simulator, kind: EntryKind) -> list[str]:
    return [one.message for one in rollout.recorded if one.kind is kind]


def test_the_history_is_exported_after_every_gate_and_before_the_end(rollout: Simulator) -> None:
    _to_the_end(rollout)
    assert rollout.status is Status.COMPLETED
    assert rollout.left == [
        *(f"export after {gate}" for gate in ("prepare_to_pilot", "pilot_to_validate", "validate_to_scale", "wave_2")),
        "review before the end",
        "keep before the end",
        "export before the end",
    ]
    told = [one.message for one in rollout.recorded if one.kind is not EntryKind.NOTICE]
    assert told[-1].startswith("Rollout completed")


def test_the_review_of_the_end_stands_in_the_log_with_the_digest_it_is_kept_under(rollout: Simulator) -> None:
    _to_the_end(rollout)
    [review] = [one for one in rollout.recorded if one.message.startswith("Closing review")]
    assert (review.kind, review.evidence_digest) == (EntryKind.REVIEW, "sha256:1")
    exported = next(one for one in rollout.recorded if one.message.startswith("History exported (before the end)"))
    assert exported.detail == {"runs": 1, "run_id": "run", "events": review.sequence + 1, "sha256": "0" * 64}


def test_the_record_is_kept_behind_the_review_and_the_log_says_of_which_entry_and_under_which_digests(
    rollout: Simulator,
) -> None:
    _to_the_end(rollout)
    [review] = [one for one in rollout.recorded if one.message.startswith("Closing review")]
    kept = next(one for one in rollout.recorded if one.sequence == review.sequence + 1)
    told = f"Decision record kept, as of entry {review.sequence} and the draft of the next cycle"
    assert (kept.kind, kept.message) == (EntryKind.RECORD, told)
    assert kept.detail == {
        "entries": review.sequence,
        "files": "1" * 64,
        "documents": {"en/record.md": "2" * 64},
    }
    assert named_in(rollout.recorded) == Named(entry=kept.sequence, said=KeepResult(**kept.detail))


def test_a_stop_while_the_end_is_under_way_is_reviewed_and_kept_anew(rollout: Simulator) -> None:
    rollout.broken = {StepKind.EXPORT}
    _to_the_end(rollout)
    assert rollout.left[-2:] == ["review before the end", "keep before the end"]
    rollout.broken = set()
    rollout.receive(Verb.PAUSE, "sponsor")
    rollout.ask(Verb.STOP, "sponsor", resolution=BACK)
    assert rollout.status is Status.STOPPED
    assert rollout.left[-3:] == ["review before the end", "keep before the end", "export before the end"]
    stopping = next(one.sequence for one in rollout.recorded if one.kind is EntryKind.STOP)
    named = named_in(rollout.recorded)
    assert named is not None
    assert named.said.entries > stopping


def test_a_rollout_from_before_records_were_kept_keeps_none() -> None:
    rollout = Simulator(make_plan(), keeps=False)
    _to_the_end(rollout)
    assert rollout.status is Status.COMPLETED
    assert rollout.left[-2:] == ["review before the end", "export before the end"]
    assert not _said(rollout, EntryKind.RECORD)


def test_a_gate_does_not_wait_for_an_export_that_cannot_be_made(rollout: Simulator) -> None:
    rollout.broken = {StepKind.EXPORT}
    rollout.to_pilot()
    assert (rollout.status, rollout.state.enrolled) == (Status.RUNNING, ("pilot",))
    rollout.wait(2 * DAY)
    assert _said(rollout, EntryKind.EXPORT) == [
        "History not exported (after prepare_to_pilot), tried again: it is down"
    ]
    rollout.broken = set()
    rollout.wait(DAY)
    assert _said(rollout, EntryKind.EXPORT)[-1].startswith("History exported (after prepare_to_pilot)")
    assert not LEAVES_BEHIND & set(rollout.state.failures)


def test_a_pause_and_a_stop_take_effect_while_nothing_can_be_exported_reviewed_or_kept(rollout: Simulator) -> None:
    rollout.broken = {StepKind.EXPORT, StepKind.REVIEW, StepKind.KEEP}
    rollout.to_pilot()
    rollout.ask(Verb.PAUSE, "sponsor")
    assert rollout.status is Status.PAUSED
    rollout.ask(Verb.STOP, "sponsor", resolution=BACK)
    assert rollout.effects == ["enrol pilot", "withdraw pilot"]
    assert rollout.status is Status.STOPPING
    assert [one.kind for one in rollout.state.holds] == [HoldKind.CLOSING]


@pytest.mark.parametrize(
    "broken",
    [{StepKind.EXPORT}, {StepKind.REVIEW}, {StepKind.KEEP}, {StepKind.EXPORT, StepKind.REVIEW, StepKind.KEEP}],
    ids=["export", "review", "record", "all"],
)
def test_the_end_waits_for_what_it_leaves_behind_says_so_and_does_not_wait_for_ever(
    rollout: Simulator, broken: set[StepKind]
) -> None:
    rollout.broken = broken
    _to_the_end(rollout)
    if StepKind.EXPORT in broken:
        assert rollout.state.phase is Phase.CLOSE
        assert rollout.status is Status.HOLDING
        assert rollout.state.holds[0].detail.endswith("failed: it is down")
    rollout.wait(3 * DAY)
    assert rollout.status is Status.COMPLETED
    told = [one.message for one in rollout.recorded if one.message.startswith("It ends without")]
    assert len(told) == len(broken)
    assert all(one.endswith("it is down") for one in told)


def test_what_could_not_be_exported_in_the_end_is_once_it_can(rollout: Simulator) -> None:
    rollout.broken = {StepKind.EXPORT}
    rollout.to_pilot()
    rollout.wait(3 * DAY)  # more failures at the gate than the end would bear
    rollout.ask(Verb.STOP, "sponsor", resolution=BACK)
    assert rollout.status is Status.STOPPING
    rollout.broken = set()
    rollout.wait(timedelta(hours=1))
    assert rollout.status is Status.STOPPED
    assert rollout.left[-1] == "export before the end"
    assert rollout.state.holds == ()


def test_the_end_is_not_reviewed_before_the_log_is_written(rollout: Simulator) -> None:
    rollout.to_pilot()
    rollout.broken = {StepKind.RECORD}
    left = list(rollout.left)
    rollout.ask(Verb.STOP, "sponsor", resolution=BACK)
    rollout.wait(DAY)
    assert (rollout.status, rollout.left, rollout.effects[-1]) == (Status.STOPPING, left, "withdraw pilot")
    rollout.broken = set()
    rollout.wait(timedelta(hours=1))
    assert rollout.status is Status.STOPPED
    assert rollout.left[-3:] == ["review before the end", "keep before the end", "export before the end"]


def test_a_pause_stands_in_the_way_of_the_end_and_a_stop_takes_the_partners_back(rollout: Simulator) -> None:
    rollout.broken = {StepKind.EXPORT}
    _to_the_end(rollout)
    assert rollout.status is Status.HOLDING
    rollout.ask(Verb.PAUSE, "sponsor")
    rollout.broken = set()
    rollout.wait(DAY)
    assert rollout.status is Status.PAUSED
    rollout.ask(Verb.STOP, "sponsor", resolution=BACK)
    assert rollout.status is Status.STOPPED
    assert {one for one in rollout.effects if one.startswith("withdraw")} == {
        "withdraw pilot",
        "withdraw wave-one",
        "withdraw wave-two",
    }


def test_a_rollout_from_before_ends_as_it_always_has() -> None:
    rollout = Simulator(make_plan(), exports=False, keeps=False)
    _to_the_end(rollout)
    assert (rollout.status, rollout.left) == (Status.COMPLETED, [])
    stopped = Simulator(make_plan(), exports=False, keeps=False)
    stopped.to_pilot()
    stopped.ask(Verb.STOP, "sponsor", resolution=BACK)
    assert (stopped.status, stopped.left) == (Status.STOPPED, [])


def test_a_rollout_is_near_its_end_once_it_closes_and_not_before(rollout: Simulator) -> None:
    rollout.to_scale()
    assert not near_its_end(rollout.state)
    rollout.broken = {StepKind.EXPORT}
    rollout.ask(Verb.STOP, "sponsor", resolution=rollout.plan.on_automatic_stop)
    assert (rollout.state.closing is not None, rollout.state.terminal) == (True, None)
    assert near_its_end(rollout.state)
    rollout.broken = set()
    rollout.wait(timedelta(hours=2))
    assert rollout.state.terminal is not None
    assert near_its_end(rollout.state)
