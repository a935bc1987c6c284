"""Whatever people, the watch, the store and time do, in any order: what must never happen does not happen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from models.command import WATCH_ACTOR, Choice, Verb
from models.evidence import Verdict
from models.log import EntryKind, LogEntry, Outcome
from models.metric import MetricName, MetricUse
from models.plan import Fate, StopResolution
from models.rollout import TERMINAL, HoldKind, Phase
from tests.plans import make_plan
from tests.workflows.simulator import Simulator
from workflows.course import freeze_at
from workflows.journal import held_by
from workflows.step import StepKind

PLAN = make_plan(freeze_windows=[{"name": "year end", "start": "2026-02-01T00:00:00Z", "end": "2026-02-10T00:00:00Z"}])
DEPUTY = "deputy@example.com"
OWNERS = [owner.identity for owner in PLAN.owners]
PEOPLE = st.sampled_from([*OWNERS, DEPUTY, "stranger@example.com"])
VERDICTS = st.sampled_from([Verdict.MET, Verdict.MET, Verdict.MET, *Verdict])
METRICS = st.sampled_from([metric.metric for metric in PLAN.metrics])
GUARDRAILS = st.sampled_from([metric.metric for metric in PLAN.metrics if metric.purpose is MetricUse.GUARDRAIL])


class Rollout(RuleBasedStateMachine):
    """One rollout under everything that can happen to it."""

    @initialize(depth=st.sampled_from(["prepare", "pilot", "validate", "gate", "scale"]))
    def start(self, depth: str) -> None:
        """Begin anywhere on the course: a random walk alone would seldom get as far as the waves."""
        self.rollout = Simulator(PLAN)
        self.over = False
        match depth:
            case "pilot":
                self.rollout.to_pilot()
            case "validate" | "gate":
                self.rollout.to_validate()
                self.rollout.wait(timedelta(days=8 if depth == "gate" else 1))
            case "scale":
                self.rollout.to_scale()

    @rule(days=st.integers(0, 20), hours=st.integers(1, 23), watched=st.booleans())
    def time_passes(self, days: int, hours: int, watched: bool) -> None:
        self.rollout.wait(timedelta(days=days, hours=hours), watched=watched)

    @rule(metric=METRICS, verdict=VERDICTS, tell=st.booleans())
    def the_numbers_change(self, metric: MetricName, verdict: Verdict, tell: bool) -> None:
        self.rollout.verdicts[metric] = verdict
        if tell:
            self.rollout.report(changed=True)

    @rule(metric=METRICS)
    def the_watch_tells_of_a_breach(self, metric: MetricName) -> None:
        named: dict[str, Any] = {
            "metric": metric,
            "cohort": "pilot",
            "as_of": self.rollout.now,
            "snapshot_digest": "sha256:seen",
        }
        self.rollout.ask(Verb.REPORT_BREACH, WATCH_ACTOR, **named)

    @rule(metric=GUARDRAILS, then=st.sampled_from(["report", "decide", "resume", "review", "pause", "wait"]))
    def a_breach_is_told_while_a_step_is_under_way(self, metric: MetricName, then: str) -> None:
        """Whatever the step, the rollout does not go on as if nothing had been said."""
        rollout = self.rollout

        def breach() -> None:
            rollout.verdicts[metric] = Verdict.NOT_MET
            named: dict[str, Any] = {"metric": metric, "cohort": "pilot", "as_of": rollout.now}
            rollout.receive(Verb.REPORT_BREACH, WATCH_ACTOR, **named, snapshot_digest="sha256:seen")

        rollout.meanwhile = breach
        match then:
            case "report":
                rollout.report(changed=True)
            case "decide":
                self.the_right_people_decide()
            case "wait":
                rollout.wait(timedelta(days=1))
            case _:
                rollout.ask(Verb(then), "sponsor" if then != "resume" else "revops_owner")
        told, rollout.meanwhile = rollout.meanwhile is None, None
        if told and not rollout.broken:
            assert _minds(rollout, metric), rollout.state.recent[-6:]

    @rule(person=PEOPLE)
    def somebody_confirms(self, person: str) -> None:
        owner = PLAN.owner(person)
        self.rollout.ask(Verb.CONFIRM_OWNERSHIP, person, role=owner.role if owner else "sponsor")

    @rule(person=st.sampled_from(OWNERS), days=st.integers(0, 30))
    def somebody_lets_the_deputy_act_for_them(self, person: str, days: int) -> None:
        until = self.rollout.moment.programme + timedelta(days=days)
        self.rollout.ask(Verb.DELEGATE, person, identity=DEPUTY, name="Dee Deputy", until=until)

    @rule(person=PEOPLE, choice=st.sampled_from([Choice.APPROVE, Choice.APPROVE, Choice.REJECT]), stale=st.booleans())
    def somebody_decides(self, person: str, choice: Choice, stale: bool) -> None:
        self.rollout.decide(person, choice, **({"evidence_digest": "sha256:stale"} if stale else {}))

    @rule()
    def the_right_people_decide(self) -> None:
        for role in ("sponsor", "finance_owner", "compliance_owner"):
            self.rollout.decide(role)

    @rule(person=PEOPLE, verb=st.sampled_from([Verb.PAUSE, Verb.RESUME, Verb.REVIEW, Verb.ACKNOWLEDGE]))
    def somebody_asks(self, person: str, verb: Verb) -> None:
        self.rollout.ask(verb, person)

    @rule(person=PEOPLE, verb=st.sampled_from([Verb.PAUSE, Verb.RESUME, Verb.REVIEW, Verb.DECIDE]))
    def somebody_asks_while_the_next_step_is_under_way(self, person: str, verb: Verb) -> None:
        rollout, gate = self.rollout, self.rollout.state.gate
        fields: dict[str, Any] = {}
        if verb is Verb.DECIDE:
            fields = {"gate": gate.key, "evidence_digest": gate.digest} if gate else {"gate": "none"}
            fields = {"evidence_digest": "none", "choice": Choice.APPROVE, "plan_digest": PLAN.digest} | fields
        rollout.meanwhile = lambda: rollout.receive(verb, person, **fields)

    @rule(person=PEOPLE, metric=METRICS, days=st.integers(-1, 10))
    def somebody_overrides(self, person: str, metric: MetricName, days: int) -> None:
        until = self.rollout.moment.programme + timedelta(days=days)
        self.rollout.ask(Verb.OVERRIDE, person, metric=metric, until=until)

    @rule(person=PEOPLE, fates=st.tuples(*[st.sampled_from(Fate)] * 3), sure=st.integers(0, 9))
    def somebody_stops(self, person: str, fates: tuple[Fate, Fate, Fate], sure: int) -> None:
        if sure == 0:
            finished, current, pending = fates
            resolution = StopResolution(finished=finished, current=current, pending=pending)
            self.rollout.ask(Verb.STOP, person, resolution=resolution)

    @rule(kinds=st.sets(st.sampled_from([StepKind.RECORD, StepKind.ASSESS, StepKind.ENROL, StepKind.NOTIFY])))
    def steps_fail_or_recover(self, kinds: set[StepKind]) -> None:
        self.rollout.broken = kinds

    @invariant()
    def the_log_has_no_gap(self) -> None:
        entries = [*self.rollout.recorded, *self.rollout.state.unrecorded]
        assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))

    @invariant()
    def an_end_is_final(self) -> None:
        if self.over:
            assert self.rollout.state.terminal in TERMINAL
        self.over = self.rollout.state.terminal is not None

    @invariant()
    def a_pause_stands_still(self) -> None:
        state = self.rollout.state
        if state.pause and not state.terminal:
            assert state.gate is None
            assert state.phase_clock is None or state.phase_clock.running_since is None

    @invariant()
    def cohorts_are_enrolled_once_and_in_order(self) -> None:
        enrolled = [one for one in self.rollout.effects if one.startswith("enrol")]
        assert enrolled == ["enrol pilot", "enrol wave-one", "enrol wave-two"][: len(enrolled)]

    @invariant()
    def nobody_is_enrolled_without_the_agreed_approvals_on_good_evidence(self) -> None:
        entries = [*self.rollout.recorded, *self.rollout.state.unrecorded]
        for index, entry in enumerate(entries):
            if entry.kind is EntryKind.PHASE and entry.message.startswith(("Entered pilot", "Entered scale")):
                assert _approved_and_met(entries[:index], entry), entry
            if entry.kind is EntryKind.ENROLMENT and "enrolled" in entry.message:
                assert freeze_at(PLAN, entry.programme_at) is None

    @invariant()
    def a_pilot_serves_its_time(self) -> None:
        records = {record.phase: record for record in self.rollout.state.history}
        pilot = records.get(Phase.PILOT)
        if pilot and pilot.left_at and Phase.VALIDATE in records:
            assert pilot.left_at - pilot.entered_at >= PLAN.phases.pilot


def _minds(rollout: Simulator, metric: MetricName) -> bool:
    """Whether a breach of the pilot keeps a rollout from going on, or may not: nobody is in it yet, owners let the
    metric be, or its numbers cannot be read, which holds."""
    state = rollout.state
    halted = state.pause or state.stop_resolution or state.terminal or held_by(state, HoldKind.STORE)
    excused = any(one.metric is metric for one in state.overrides) or "pilot" not in state.enrolled
    return bool(halted or excused)


def _approved_and_met(before: list[LogEntry], entry: LogEntry) -> bool:
    """The reference: distinct approvers of the gate since it was opened last, then an assessment; or one of the very
    moment, for here time stands still while people act."""
    opened = max(index for index, one in enumerate(before) if one.gate == entry.gate and one.message.startswith("Gate"))
    approvals = [
        one
        for one in before[opened:]
        if one.kind is EntryKind.DECISION and one.gate == entry.gate and one.outcome is Outcome.APPLIED
    ]
    people = {one.actor for one in approvals}
    needed = 2 if entry.gate == "validate_to_scale" else 1
    agreed = PLAN.proposer not in people and len(people) >= needed
    if entry.gate == "prepare_to_pilot":
        return agreed
    judged = [
        one
        for place, one in enumerate(before)
        if one.kind is EntryKind.ASSESSMENT and "verdicts" in one.detail
        if place >= opened or one.programme_at == entry.programme_at
    ]
    excused = any(one.kind is EntryKind.OVERRIDE for one in before)
    good = bool(judged) and (excused or set(judged[-1].detail["verdicts"].values()) == {Verdict.MET.value})
    return agreed and good


TestRollout = Rollout.TestCase
TestRollout.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
