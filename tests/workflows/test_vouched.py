"""The watchdog listens to the watch alone: a word that somebody says in its name does not keep it quiet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from models.command import WATCH_ACTOR, Verb
from models.evidence import Verdict
from models.log import Outcome
from models.metric import MetricName
from models.rollout import HoldKind, RolloutState, Status
from models.vouching import SPAN, key_of, proof_of
from tests.plans import make_plan, plan_data
from tests.workflows.simulator import Simulator

SEED = b"what the store keeps"
SLA = MetricName.LEAD_FOLLOW_UP_SLA
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
PLAN = make_plan(phases={**plan_data()["phases"], "pilot": "30d", "watchdog": "3d"})


@pytest.fixture
def pilot() -> Simulator:
    """A rollout ten days into its pilot, with the watch awake."""
    rollout = Simulator(PLAN, seed=SEED)
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    assert rollout.status is Status.RUNNING
    return rollout


def forged(rollout: Simulator, changed: bool = False, proof: str | None = None) -> Outcome:
    named: dict[str, Any] = {"as_of": rollout.now, "changed": changed, "evidence_digest": "sha256:0", "proof": proof}
    return rollout.ask(Verb.REPORT_EVIDENCE, WATCH_ACTOR, **named).outcome


def silent(state: RolloutState) -> bool:
    return any(one.kind is HoldKind.WATCH_SILENT for one in state.holds)


def live_on(rollout: Simulator, days: int, says: Callable[[], object]) -> None:
    """Days without the watch, on each of which somebody says something."""
    for _ in range(days):
        rollout.wait(DAY, watched=False)
        says()


def test_a_word_that_nothing_proves_is_refused_and_leaves_the_silence_as_it_is(pilot: Simulator) -> None:
    heard = pilot.state.last_evidence_at
    pilot.wait(DAY, watched=False)
    assert forged(pilot) is Outcome.REFUSED
    assert pilot.state.recent[-1].refusal == "nothing proves that the watch says this"
    assert pilot.state.last_evidence_at == heard


@pytest.mark.parametrize("kind", ["quiet", "change", "breach", "overheard"])
def test_whatever_is_said_in_the_watch_s_name_the_rollout_holds_when_the_watch_is_dead(
    pilot: Simulator, kind: str
) -> None:
    overheard = pilot.proof()
    breach: dict[str, Any] = {"metric": SLA, "cohort": "pilot"}
    say: dict[str, Callable[[], object]] = {
        "quiet": lambda: forged(pilot),
        "change": lambda: forged(pilot, changed=True),
        "breach": lambda: pilot.ask(Verb.REPORT_BREACH, WATCH_ACTOR, as_of=pilot.now, **breach),
        "overheard": lambda: forged(pilot, proof=overheard),
    }
    live_on(pilot, 2, say[kind])
    assert not silent(pilot.state)
    live_on(pilot, 2, say[kind])
    assert silent(pilot.state)
    assert pilot.status is Status.HOLDING
    pilot.report()
    assert not silent(pilot.state)


def test_an_overheard_word_can_be_repeated_to_the_end_of_its_half_day_at_most(pilot: Simulator) -> None:
    spoke, proof = pilot.now, pilot.proof()
    begun = pilot.state.clock.programme_start
    ends = begun + ((spoke - begun) // SPAN + 1) * SPAN
    pilot.wait(2 * DAY, watched=False)
    named: dict[str, Any] = {"as_of": spoke, "changed": False, "evidence_digest": "sha256:0", "proof": proof}
    assert pilot.ask(Verb.REPORT_EVIDENCE, WATCH_ACTOR, **named).outcome is Outcome.APPLIED
    assert pilot.state.last_evidence_at is not None
    assert spoke <= pilot.state.last_evidence_at <= ends + timedelta(minutes=1)


def test_a_change_and_a_breach_that_are_the_watch_s_count_as_its_words(pilot: Simulator) -> None:
    for changed in (True, False):
        pilot.wait(DAY, watched=False)
        pilot.report(changed=changed)
        assert pilot.state.last_evidence_at == pilot.now
    pilot.wait(DAY, watched=False)
    named: dict[str, Any] = {"metric": SLA, "cohort": "pilot", "as_of": pilot.now, "proof": pilot.proof()}
    pilot.ask(Verb.REPORT_BREACH, WATCH_ACTOR, **named)
    assert pilot.state.last_evidence_at == pilot.now


def test_a_breach_that_nothing_proves_still_halts_where_the_numbers_bear_it_out(pilot: Simulator) -> None:
    pilot.verdicts = {SLA: Verdict.NOT_MET}
    named: dict[str, Any] = {"metric": SLA, "cohort": "pilot", "as_of": pilot.now}
    pilot.ask(Verb.REPORT_BREACH, WATCH_ACTOR, **named)
    assert pilot.status is Status.PAUSED


def test_on_a_fast_clock_a_word_may_take_its_time(pilot: Simulator) -> None:
    """A second is more than a day there: the word is of days ago when it is taken, and still that of a watch that is
    awake."""
    clock = pilot.state.clock.model_copy(update={"speed": 100_000.0})
    begun = pilot.state.clock.programme_start
    state = pilot.state.model_copy(update={"clock": clock, "watch_key": key_of(SEED), "last_evidence_at": begun})
    pilot.state, pilot.now = state, clock.real(begun + 20 * DAY)
    as_of = begun + 15 * DAY
    named: dict[str, Any] = {"as_of": as_of, "changed": False, "evidence_digest": "sha256:0"}
    pilot.receive(Verb.REPORT_EVIDENCE, WATCH_ACTOR, proof=proof_of(SEED, begun, as_of), **named)
    assert pilot.state.last_evidence_at == begun + 20 * DAY


def test_to_a_rollout_that_began_before_there_were_proofs_every_word_is_the_watch_s() -> None:
    rollout = Simulator(PLAN)
    rollout.to_pilot()
    rollout.wait(10 * DAY)
    rollout.wait(DAY, watched=False)
    assert forged(rollout) is Outcome.APPLIED
    assert rollout.state.last_evidence_at == rollout.now
