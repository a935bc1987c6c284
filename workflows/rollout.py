"""PartnerRollout: takes a plan through prepare, pilot, validate, scale and close. It waits, calls activities and
moves state; what to do and what it means is decided by the pure functions beside it."""

from __future__ import annotations

import contextlib
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RawValue, SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from models.brief import SnapshotBrief, baselines_of
    from models.claims import DecisionKeys
    from models.log import LogEntry
    from models.names import ROLLOUT, effects_queue
    from models.plan import Fate
    from models.rollout import (
        AGREEMENT_LETTER,
        EVERY_LETTER,
        LOGGED_LETTER,
        AllowedAction,
        CohortMembers,
        Phase,
        RolloutView,
    )
    from models.work import (
        Answer,
        EnrolRequest,
        EnrolResult,
        FetchRequest,
        KeysRequest,
        NotifyRequest,
        OpenRequest,
        OpenResult,
        RecordRequest,
        ResolvedCohorts,
        ResolveRequest,
        RolloutInput,
        RolloutResult,
    )
    from models.writable import writable
    from workflows.actions import allowed_actions
    from workflows.attributes import PHASE, PLAN, STATUS, WAVE
    from workflows.closing import near_its_end
    from workflows.journal import Now, now_of
    from workflows.looking import Looking
    from workflows.marks import (
        AGREEMENTS,
        ANSWERED,
        EACH,
        EXPORT_FIRST,
        EXPORTS,
        FEWER,
        KEEPS,
        LETTERS,
        LOGGED,
        ONCE,
        TOGETHER,
    )
    from workflows.patience import ACTIVITY, ASKING
    from workflows.pauses import withdrew
    from workflows.phases import baselines_measured, cohorts_resolved, enrolled
    from workflows.requests import receive_again
    from workflows.signatures import keys_taken, proofs_for
    from workflows.starting import NotBegun, begun
    from workflows.step import Step, StepKind, done, failed
    from workflows.steps import advance, next_step
    from workflows.view import details, status_of, view
    from workflows.wire import Told, in_short, named, named_one, notices_of, record_of, recorded, without

T = TypeVar("T")

TITLE, LONG_TITLE = 60, 100
"""Characters that a record is titled with, of what stands in it; the longer one in runs from before."""

LONG_ENOUGH = 1000
"""Events after which a phase boundary is a good place to continue as new."""


@workflow.defn(name=ROLLOUT)
class PartnerRollout(Looking):
    """One staged rollout. `RolloutState` is all it knows; signals and steps both move it."""

    @workflow.init
    def __init__(self, payload: RawValue) -> None:
        self._kept = begun(payload)
        self._fewer = workflow.patched(FEWER)
        self._once = self._fewer or workflow.patched(ONCE)
        self._woken = False
        self._waiting = False
        self._together = True
        self._export_first = True
        self._told = Told()
        self._shown: dict[SearchAttributeKey[Any], Any] = {}
        self._phase_at_start: Phase | None = None
        # Here, since requests may come before the run begins.
        if not isinstance(self._kept, NotBegun) and self._marked(LOGGED):
            self._state = self._state.model_copy(update={"letters": LOGGED_LETTER})

    @workflow.run
    async def run(self, payload: RawValue) -> RolloutResult:
        self._phase_at_start = self._state.phase
        self._together = self._marked(TOGETHER)
        for mark, level in ((LETTERS, EVERY_LETTER), (AGREEMENTS, AGREEMENT_LETTER)):
            if self._marked(mark) and self._state.letters < level:
                self._state = self._state.model_copy(update={"letters": level})
        if self._marked(EXPORTS):
            self._state = self._state.model_copy(update={"exports": True})
        if self._marked(KEEPS):
            self._state = self._state.model_copy(update={"keeps": True})
        self._export_first = self._marked(EXPORT_FIRST)
        while True:
            self._advance()
            self._show()
            step = next_step(self._state, self._now(), together=self._together, export_first=self._export_first)
            if step.kind is StepKind.FINISH:
                break
            if self._should_continue_as_new():
                workflow.continue_as_new(RolloutInput(plan=self._state.plan, state=self._state))
            await self._undeterred(step)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return RolloutResult(
            rollout_id=self._state.plan.id,
            status=status_of(self._state, self._now()).value,
            entries=self._state.sequence,
            enrolled=self._state.enrolled,
            withdrawn=self._state.withdrawn,
        )

    @workflow.query(name="status", description="Where the rollout stands and what happens next")
    def status(self) -> RolloutView:
        return self._answered(view(self._state, self._now()))

    @workflow.query(name="decisions", description="The newest entries of the decision log")
    def decisions(self) -> tuple[LogEntry, ...]:
        return self._answered(self._state.recent)

    @workflow.query(name="allowed_actions", description="Each verb: who may use it now, or why not")
    def allowed_actions(self, identity: str | None = None) -> tuple[AllowedAction, ...]:
        return self._answered(allowed_actions(self._state, self._now(), identity))

    def _answered(self, answer: T) -> T:
        self._rest()
        return answer

    def _now(self) -> Now:
        return now_of(self._state, workflow.now())

    def _advance(self) -> None:
        """What time alone changes; marks are set where it matters that something is asked and not answered yet."""
        state, now = self._state, self._now()
        self._state = advance(state, now, heed=False)
        if state.asked_at is not None and (heeded := advance(state, now)) != self._state and self._marked(EACH):
            self._state = heeded
        if self._state.terminal and self._state.parked and self._marked(ANSWERED):
            self._state = receive_again(self._state, now)  # nobody asks for keys any more

    def _should_continue_as_new(self) -> bool:
        """When the server suggests it, or at a phase boundary of a long history but for the last one; never while
        somebody waits for an answer that only the next steps bring."""
        if not workflow.all_handlers_finished():
            return False
        info = workflow.info()
        at_the_end = self._export_first and near_its_end(self._state)
        at_boundary = self._state.phase is not self._phase_at_start and not at_the_end
        return info.is_continue_as_new_suggested() or (at_boundary and info.get_current_history_length() > LONG_ENOUGH)

    def _show(self) -> None:
        """Keep search attributes (one event, so only on a change) and the Web UI's details current."""
        state = self._state
        shown: dict[SearchAttributeKey[Any], Any] = {
            PLAN: state.plan.id,
            PHASE: state.phase.value,
            STATUS: status_of(state, self._now()).value,
            WAVE: state.wave or 0,
        }
        changed = [key.value_set(value) for key, value in shown.items() if self._shown.get(key) != value]
        if changed:
            workflow.upsert_search_attributes(changed)
            self._shown = shown
        workflow.set_current_details(details(state, self._now()))

    async def _undeterred(self, step: Step) -> None:
        """Cancelling would leave partners enrolled with nobody watching: it is refused, and the step is done again."""
        try:
            await self._perform(step)
        except BaseException as problem:
            if not is_cancelled_exception(problem):
                raise
            self.note_malformed("cancel", "a rollout ends by its plan or by `stop`, which says what becomes of cohorts")

    async def _perform(self, step: Step) -> None:
        if step.kind is StepKind.WAIT:
            await self._wait(step)
            return
        try:
            await getattr(self, f"_{step.kind.value}")(step)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._state = failed(self._state, step, _cause(error), self._now())

    async def _wait(self, step: Step) -> None:
        """The rollout's only timer: until a request comes or the nearest moment of the plan."""
        timeout = None
        if step.until is not None:
            timeout = self._state.clock.real_wait(self._now().programme, step.until)
        self._waiting, self._until = True, step.until
        self._rest()
        try:
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._woken,
                    timeout=timeout,
                    # There is no other timer, and its event says when it fires.
                    timeout_summary=None if self._once else "nearest moment of the plan",
                )
        finally:
            self._waiting, self._until = False, None
        self._woken = False

    async def _keys(self, step: Step) -> None:
        keys = await self._call(
            "decision_keys", KeysRequest(key=self._key()), DecisionKeys, "whose signatures count", ASKING
        )
        now = self._now()
        taken = keys_taken(done(self._state, step, now), keys, now)
        if taken.terminal and taken.parked and not self._marked(ANSWERED):
            taken = taken.model_copy(update={"parked": ()})
        self._state = self._with_names(taken, receive_again(taken, now))

    async def _open(self, step: Step) -> None:
        state = self._state
        # The first run's history begins with the plan. A later run brings it along: that history may be gone by now.
        first = workflow.info().run_id == state.chain_id
        request = OpenRequest(
            key=self._key(),
            plan=None if first else state.plan,
            plan_digest=state.plan_digest,
            clock=state.clock,
            decisions=state.decisions,
            short_words=self._once,
        )
        opened: OpenResult | None = await self._call(
            "open_rollout", request, OpenResult | None, "register with the store and the watch"
        )
        update = {"registered": True, "watch_key": opened.watch if opened else None}
        self._state = done(self._state, step, self._now()).model_copy(update=update)

    async def _record(self, step: Step) -> None:
        request = self._record_of()
        if self._fewer and request.notices:
            request = request.model_copy(update={"deliver": True})
        title = in_short(request.entries, TITLE if self._fewer else LONG_TITLE)
        await self._call("record_decisions", request, int, title)
        self._was_recorded(request)
        if request.deliver:
            self._state = without(self._state, request.notices)
        self._state = done(self._state, step, self._now())

    def _record_of(self) -> RecordRequest:
        """What waits to be recorded; from now on it does not change any more."""
        self._state = self._state.model_copy(update={"recording": self._state.unrecorded[-1].sequence})
        told = self._told if self._once else None
        return record_of(self._state, self._key(), workflow.info().run_id, self._now(), told, counted=self._fewer)

    def _was_recorded(self, request: RecordRequest) -> None:
        self._told.taken()
        self._state = recorded(self._state, request.entries[-1].sequence)

    async def _notify(self, step: Step) -> None:
        notices = self._state.notices
        letters = notices_of(self._state, self._key(), once=self._once)
        request = writable(NotifyRequest(key=self._key(), notices=letters))
        await self._call("notify_owners", request, int, notices[0].subject[:100])
        self._state = done(without(self._state, notices), step, self._now())

    async def _resolve(self, step: Step) -> None:
        request = ResolveRequest(
            key=self._key(), specs=self._state.plan.cohort_specs(), as_of=self._now().programme, brief=True
        )
        found: ResolvedCohorts | tuple[CohortMembers, ...] = await self._call(
            "resolve_cohorts", request, ResolvedCohorts | tuple[CohortMembers, ...], "resolve and freeze the cohorts"
        )
        now = self._now()
        cohorts, digest = (found.cohorts, found.digest) if isinstance(found, ResolvedCohorts) else (found, None)
        self._state = cohorts_resolved(done(self._state, step, now), cohorts, now, digest)

    async def _baseline(self, step: Step) -> None:
        state, plan = self._state, self._state.plan
        request = FetchRequest(
            key=self._key(),
            purpose="baseline",
            as_of=self._now().programme,
            **named(state, state.cohorts),
            windows={metric.metric: plan.phases.baseline_window for metric in plan.metrics},
            answer=Answer.TABLE if self._once else Answer.VALUES,
        )
        found = await self._measure(request, "measure the baselines")
        values = found.baselines(request.windows) if isinstance(found, SnapshotBrief) else baselines_of(found)
        now = self._now()
        self._state = baselines_measured(done(self._state, step, now), values, found.digest, now)

    async def _enrol(self, step: Step) -> None:
        record = self._record_of() if self._together and self._state.unrecorded else None
        result = await self._effect("enrol_partners", step.about, Fate.KEEP, record)
        now = self._now()
        if record is not None:
            self._was_recorded(record)
        self._state = enrolled(done(self._state, step, now), step.about, result.changed, now)

    async def _withdraw(self, step: Step) -> None:
        result = await self._effect("withdraw_partners", step.about, Fate.WITHDRAW)
        now = self._now()
        self._state = withdrew(done(self._state, step, now), step.about, result.changed, now)

    async def _effect(self, name: str, cohort: str, fate: Fate, record: RecordRequest | None = None) -> EnrolResult:
        state = self._state
        request = EnrolRequest(
            key=self._key(),
            phase=state.phase.value,
            wave=state.wave,
            **named_one(state, cohort),
            at=self._now().programme,
            fate=fate,
            record=record,
            proofs=proofs_for(state),
        )
        options = {**ACTIVITY, "task_queue": effects_queue(workflow.info().task_queue)}
        result: EnrolResult = await self._call(name, request, EnrolResult, f"{name.split('_')[0]} {cohort}", options)
        return result


def _cause(error: ActivityError) -> str:
    """What went wrong in an activity, from the innermost error, bounded."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, ApplicationError):
        return f"{cause.type}: {cause.message}"[:300]
    return f"{type(cause).__name__}: {cause}"[:300]
