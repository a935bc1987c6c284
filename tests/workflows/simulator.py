"""A rollout without Temporal: the pure functions driven by hand, with the test playing activities and people."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from models.base import digest_json
from models.brief import baselines_of
from models.claims import DecisionKeys
from models.clock import clock_at
from models.command import COMMANDS, WATCH_ACTOR, Command, Verb
from models.evidence import (
    Assessment,
    CohortReading,
    GroupValue,
    MetricAssessment,
    Snapshot,
    StopTrigger,
    Verdict,
    Window,
)
from models.kept import KeepResult
from models.log import LogEntry, Receipt
from models.metric import MetricName
from models.plan import RolloutPlan
from models.rollout import LOGGED_LETTER, CohortMembers, FrozenCohort, Notice, RolloutState, Status
from models.vouching import key_of, proof_of
from models.warrant import Case
from models.work import ExportResult, ReviewResult
from tests.signing import Signed
from workflows.closing import exported, record_kept, reviewed
from workflows.course import members, watched
from workflows.journal import Now, now_of
from workflows.looks import answers
from workflows.pauses import withdrew
from workflows.phases import assessed, baselines_measured, cohorts_resolved, enrolled, initial_state
from workflows.requests import receive, receive_again
from workflows.signatures import keys_taken, proofs_for
from workflows.step import Step, StepKind, done, failed
from workflows.steps import advance, next_step
from workflows.view import status_of
from workflows.wire import recorded
from workflows.word import borne_out, takes_words

START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass
class Simulator:
    """Runs the same loop as the workflow. `verdicts` are what the next assessments will say, and `meanwhile`
    is what happens while the next step is under way, `overtaking` what happens during each look. With a `seed` the
    watch's words must be proven, and those of `report` are."""

    plan: RolloutPlan
    now: datetime = START
    verdicts: dict[MetricName, Verdict] = field(default_factory=dict)
    baseline: float | None = 90.0
    stop: tuple[StopTrigger, ...] = ()
    broken: set[StepKind] = field(default_factory=set)
    recorded: list[LogEntry] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    requests: int = 0
    service: Signed | None = None
    keys: DecisionKeys | None = None
    start_token: str | None = None
    letters: int = LOGGED_LETTER
    exports: bool = True
    keeps: bool = True
    each: bool = True
    listened: bool = False
    notices: list[Notice] = field(default_factory=list)
    meanwhile: Callable[[], object] | None = None
    overtaking: Callable[[], object] | None = None
    seed: bytes | None = None

    def __post_init__(self) -> None:
        clock = clock_at(self.now)
        if self.service is not None:
            self.keys = self.keys or self.service.pen.keys()
            self.start_token = self.start_token or self.service.start(self.now)
        begun = initial_state(
            self.plan,
            "chain",
            clock,
            Now(real=self.now, programme=self.now),
            start_token=self.start_token,
            started_at=self.now,
        )
        self.state: RolloutState = begun.model_copy(
            update={"letters": self.letters, "exports": self.exports, "keeps": self.keeps}
        )
        self.settle()

    @property
    def moment(self) -> Now:
        return now_of(self.state, self.now)

    @property
    def status(self) -> Status:
        return status_of(self.state, self.moment)

    def settle(self) -> Step:
        """Perform steps until only time or people can move the rollout on."""
        for _ in range(200):
            step = self.step()
            if step.kind in (StepKind.WAIT, StepKind.FINISH):
                return step
        raise AssertionError(f"the rollout never comes to rest: {self.state.recent[-3:]}")

    def step(self) -> Step:
        """Perform the next step, unless that is to wait or to finish."""
        self.state = advance(self.state, self.moment, heed=self.each)
        if self.state.terminal and self.state.parked:
            self.state = receive_again(self.state, self.moment)
        step = next_step(self.state, self.moment)
        if step.kind not in (StepKind.WAIT, StepKind.FINISH):
            self._perform(step)
        return step

    def wait(self, time: timedelta, *, watched: bool = True) -> None:
        """Let programme time pass; the watch reports once a day unless told otherwise."""
        end = self.now + time
        look = self.now
        for turn in itertools.count():
            if self.now >= end:
                break
            step = self.settle()
            if self.now >= look:
                look = min(end, self.now + timedelta(days=1)) if watched else end
            nearest = look if step.until is None else min(look, step.until)
            # A step that fails for weeks is tried every ten minutes; after a hundred tries the rest are all alike.
            self.now = max(nearest, self.now + (timedelta(seconds=1) if turn < 100 else timedelta(hours=6)))
            if watched and self.now >= look and not self.state.terminal:
                self.report()
        self.settle()

    def report(self, *, changed: bool = False) -> Receipt:
        return self.ask(
            Verb.REPORT_EVIDENCE,
            WATCH_ACTOR,
            as_of=self.now,
            changed=changed,
            evidence_digest="sha256:0",
            proof=self.proof(),
        )

    def proof(self) -> str | None:
        """What proves that the watch says it now."""
        return proof_of(self.seed, self.state.clock.programme_start, self.now) if self.seed else None

    def ask(self, verb: Verb, actor: str, reason: str = "because", **fields: Any) -> Receipt:
        """Send a request as a person would, then let the rollout act on it."""
        receipt = self.receive(verb, actor, reason, **fields)
        self.settle()
        return receipt

    def receive(self, verb: Verb, actor: str, reason: str = "because", **fields: Any) -> Receipt:
        """Send a request, and do nothing about it yet."""
        self.requests += 1
        if "@" not in actor and actor != WATCH_ACTOR:
            actor = self.plan.holders(actor)[0].identity
        data = {"request_id": f"request-{self.requests:04d}", "actor": actor, "reason": reason, **fields}
        command = COMMANDS[verb].model_validate(data)
        if self.service is not None and "token" not in fields and actor != WATCH_ACTOR:
            command = command.model_copy(update={"token": self.service.request(verb, command, self.now)})
        return self.take(verb, command)

    def take(self, verb: Verb, command: Command) -> Receipt:
        """Receive a request as it is."""
        self.state, receipt = receive(self.state, verb, command, self.moment)
        return receipt

    def decide(self, role: str, choice: str = "approve", **fields: Any) -> Receipt:
        gate = self.state.gate
        data: dict[str, Any] = {
            "gate": gate.key if gate else "none",
            "choice": COMMANDS[Verb.DECIDE].model_fields["choice"].annotation(choice),  # type: ignore[misc]
            "plan_digest": self.state.plan_digest,
            "evidence_digest": gate.digest if gate else "none",
        }
        return self.ask(Verb.DECIDE, role, **(data | fields))

    def confirm_all(self) -> None:
        for owner in self.plan.owners:
            self.ask(Verb.CONFIRM_OWNERSHIP, owner.identity, role=owner.role)

    def to_pilot(self) -> None:
        self.confirm_all()
        self.decide("sponsor")

    def to_validate(self) -> None:
        self.to_pilot()
        self.wait(timedelta(days=31))
        self.ask(Verb.REVIEW, "sponsor")

    def to_scale(self) -> None:
        self.to_validate()
        self.wait(timedelta(days=8))
        self.decide("sponsor")
        self.decide("finance_owner")

    def _perform(self, step: Step) -> None:
        along = step.kind is StepKind.ENROL and self.state.unrecorded and StepKind.RECORD in self.broken
        if step.kind in self.broken or along:
            self.state = failed(self.state, step, "it is down", self.moment)
            return
        getattr(self, f"_{step.kind.value}")(step)

    def _under_way(self) -> None:
        """A step takes its time, and things happen."""
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            self.now += timedelta(seconds=1)
            happens()

    def _keys(self, step: Step) -> None:
        assert self.keys is not None
        self._under_way()
        state = keys_taken(done(self.state, step, self.moment), self.keys, self.moment)
        self.state = receive_again(state, self.moment)

    def _open(self, step: Step) -> None:
        update = {"registered": True, "watch_key": key_of(self.seed) if self.seed else None}
        self.state = done(self.state, step, self.moment).model_copy(update=update)

    def _record(self, step: Step) -> None:
        last = self._record_along()
        self._under_way()
        self.state = done(recorded(self.state, last), step, self.moment)

    def _record_along(self) -> int:
        """What waits to be recorded is; returns the last entry of it."""
        entries = self.state.unrecorded
        self.state = self.state.model_copy(update={"recording": entries[-1].sequence if entries else 0})
        self.recorded += entries
        return self.state.recording

    def _notify(self, step: Step) -> None:
        notices = self.state.notices
        self.notices += notices
        self.sent += [f"{one.kind}: {', '.join(one.roles)}" for one in notices]
        self._under_way()
        rest = tuple(one for one in self.state.notices if one not in notices)
        self.state = done(self.state.model_copy(update={"notices": rest}), step, self.moment)

    def _export(self, step: Step) -> None:
        self.left.append(f"export {step.about}")
        self._under_way()
        result = ExportResult(runs=1, run_id="run", events=self.state.sequence, sha256="0" * 64)
        self.state = exported(done(self.state, step, self.moment), step.about, result, self.moment)

    def _review(self, step: Step) -> None:
        self.left.append(f"review {step.about}")
        self._under_way()
        result = ReviewResult(digest="sha256:1", summary=f"{self.state.sequence} entries")
        self.state = reviewed(done(self.state, step, self.moment), result, self.moment)

    def _keep(self, step: Step) -> None:
        self.left.append(f"keep {step.about}")
        result = KeepResult(entries=self.state.sequence, files="1" * 64, documents={"en/record.md": "2" * 64})
        self.state = record_kept(done(self.state, step, self.moment), result, self.moment)

    def _resolve(self, step: Step) -> None:
        cohorts = tuple(CohortMembers(name=one.name, partners=one.partners) for one in self.plan.cohort_specs())
        self.state = cohorts_resolved(done(self.state, step, self.moment), cohorts, self.moment)

    def _baseline(self, step: Step) -> None:
        snapshot = self._snapshot(self.state.cohorts, self.baseline)
        values = baselines_of(snapshot)
        self.state = baselines_measured(done(self.state, step, self.moment), values, snapshot.digest, self.moment)

    def _assess(self, step: Step) -> None:
        word, self.state = self.state.reported, self.state.model_copy(update={"reported": None})
        if word is not None and takes_words(self.state) and not (self.listened and self.each):
            self.listened = True
            # What the watch measured when a lead came.
            seen = self.assessment(MetricName.LEAD_FOLLOW_UP_SLA)
            self._under_way()
            halted = borne_out(self.state, seen, step.about, self.moment)
            self.state = self.state if halted is None else done(halted, step, self.moment)
            return
        self.listened = False
        seen = self.assessment()
        if self.overtaking is not None:
            self.now += timedelta(seconds=1)
            self.overtaking()
        self._under_way()
        state, answered = done(self.state, step, self.moment), answers(self.state, seen.as_of, each=self.each)
        self.state = assessed(state, seen, step.about, self.moment, answered=answered)

    def assessment(self, *metrics: MetricName) -> Assessment:
        """What the numbers mean now: of these metrics, or of all."""
        items = tuple(
            self._item(cohort.name, one.metric)
            for cohort in watched(self.state)
            for one in self.plan.metrics
            if not metrics or one.metric in metrics
        )
        body = [item.model_dump(mode="json") for item in items]
        return Assessment(
            evidence_id="E",
            digest=digest_json([self.now.isoformat(), body]),
            snapshot_digest="sha256:s",
            as_of=self.moment.programme,
            items=items,
            stop=self.stop,
        )

    def case(self) -> Case | None:
        """What goes along with an effect, as its activity looks at it; None where nothing has to."""
        proofs = proofs_for(self.state)
        if proofs is None or self.keys is None:
            return None
        return Case(
            rollout_id=self.plan.id,
            chain_id=self.state.chain_id,
            plan=self.plan,
            clock=self.state.clock,
            proofs=proofs,
            keys=self.keys,
            at=self.now,
        )

    def _enrol(self, step: Step) -> None:
        case = self.case()
        if case is not None:
            case.enrol(self.state.phase.value, self.state.wave, step.about)
        self.effects.append(f"enrol {step.about}")
        last = self._record_along()
        self._under_way()
        state = done(recorded(self.state, last), step, self.moment)
        changed = members(state, step.about).size
        self.state = enrolled(state, step.about, changed, self.moment)

    def _withdraw(self, step: Step) -> None:
        case = self.case()
        if case is not None:
            case.withdraw(self.state.assessment)
        self.effects.append(f"withdraw {step.about}")
        self._under_way()
        self.state = withdrew(done(self.state, step, self.moment), step.about, 1, self.moment)

    def _snapshot(self, cohorts: tuple[FrozenCohort | CohortMembers, ...], value: float | None) -> Snapshot:
        window = Window(start=self.now - timedelta(days=28), end=self.now)
        group = GroupValue(value=value, reason=None if value is not None else "no_data", n_partners=12, n_facts=100)
        readings = tuple(
            CohortReading(cohort=cohort.name, metric=metric.metric, window=window, group=group, data_through=self.now)
            for cohort in cohorts
            for metric in self.plan.metrics
        )
        return Snapshot(evidence_id="B", digest="sha256:b", as_of=self.now, readings=readings)

    def _item(self, cohort: str, metric: MetricName) -> MetricAssessment:
        plan = self.plan.metric(metric)
        if plan is None:
            raise AssertionError(f"{metric} is not in the plan")
        verdict = self.verdicts.get(metric, Verdict.MET)
        return MetricAssessment(
            cohort=cohort,
            metric=metric,
            use=plan.purpose,
            on_breach=plan.on_breach,
            verdict=verdict,
            reasons=(f"scripted {verdict.value}",),
            value=None if verdict is Verdict.NO_EVIDENCE else 50.0,
            thresholds=(),
            baseline=None,
            n_partners=12,
            n_facts=100,
            minimum_sample_reached=verdict is not Verdict.CANNOT_TELL,
            data_current=verdict is not Verdict.NO_EVIDENCE,
            data_through=self.now,
            data_age=timedelta(0),
            beyond_threshold=verdict is Verdict.NOT_MET,
            must=plan.must,
            weight=plan.weight,
            partners=("P001", "P002") if verdict is Verdict.NOT_MET else (),
            leads=("L1",) if verdict is Verdict.NOT_MET else (),
        )
