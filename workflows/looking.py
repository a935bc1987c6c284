"""The step that looks at the numbers: it listens to what the watch saw, measures, judges, and answers who asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from models.brief import AssessmentBrief, LookBrief, SnapshotBrief
    from models.evidence import Assessment, Snapshot
    from models.work import Answer, Asked, AssessRequest, FetchRequest, LookRequest, RolloutKey
    from workflows.course import watched
    from workflows.leaving import Leaving
    from workflows.looks import ALL, Answered, answers
    from workflows.marks import EACH, HERE, MEANWHILE, WORD
    from workflows.patience import ACTIVITY, LISTENING, LISTENING_HERE, LOOKING, MEASURING
    from workflows.phases import assessed
    from workflows.step import Step, done
    from workflows.wire import baselines_from, named
    from workflows.word import borne_out, not_before, takes_words


NOT_SAID = ""
"""In place of the digest of a snapshot that is named in the evidence."""


class Looking(Leaving):
    """The class that inherits it says what time it is."""

    _listened = False

    def _key(self) -> RolloutKey:
        return RolloutKey(rollout_id=self._state.plan.id, chain_id=self._state.chain_id)

    async def _call(
        self, name: str, request: Asked, result: Any, summary: str | None, options: Mapping[str, Any] = ACTIVITY
    ) -> Any:
        return await workflow.execute_activity(
            name, self._sent(request), result_type=result, summary=summary, **options
        )

    async def _assess(self, step: Step) -> None:
        """Measure, then judge: both results stand in the history, with the digests of the full evidence."""
        word, self._state = self._state.reported, self._state.model_copy(update={"reported": None})
        listens = word is not None and takes_words(self._state) and (self._here() or self._marked(WORD))
        # Words that come more often than one can be listened to keep nobody from looking.
        if word is not None and listens and not (self._listened and self._marked(EACH)):
            self._listened = True
            await self._listen(step, word)
            return
        self._listened = False
        # One that has failed is done in two parts, each of which has as much time as both together.
        if self._fewer and self._state.cohorts_digest is not None and step.kind.value not in self._state.failures:
            await self._look(step, self._state.cohorts_digest)
            return
        state = self._state
        request = FetchRequest(
            key=self._key(),
            purpose=step.about,
            as_of=self._now().programme,
            **named(state, watched(state)),
            answer=Answer.DIGEST,
        )
        found = await self._measure(request, f"measure: {step.about}")
        whole = await self._judge(
            AssessRequest(
                key=self._key(),
                snapshot_digest=found.digest,
                plan_digest=state.plan_digest,
                phase=state.phase.value,
                tolerance_since=state.tolerance_since or request.as_of,
                baselines_from=baselines_from(state),
                brief=not self._once,
                table=self._once,
            ),
            f"judge: {step.about}",
            MEASURING,
        )
        now = self._now()
        answered = self._answers(request.as_of)
        self._state = assessed(done(self._state, step, now), whole, step.about, now, answered=answered)

    async def _look(self, step: Step, cohorts_digest: str) -> None:
        """Both in one activity, whose name and purpose say what it is. The digest of the evidence covers that of what
        was measured."""
        state, now = self._state, self._now()
        request = LookRequest(
            key=self._key(),
            purpose=step.about,
            as_of=now.programme,
            cohorts=tuple(one.name for one in watched(state)),
            cohorts_digest=cohorts_digest,
            plan_digest=state.plan_digest,
            phase=state.phase.value,
            tolerance_since=state.tolerance_since or now.programme,
            baselines_from=baselines_from(state),
        )
        found: LookBrief = await self._call("look_at_metrics", request, LookBrief, None, LOOKING)
        whole = found.at_length(request.as_of).against(self._state.plan, NOT_SAID)
        now, answered = self._now(), self._answers(request.as_of)
        self._state = assessed(done(self._state, step, now), whole, step.about, now, answered=answered)

    def _answers(self, measured: datetime) -> Answered:
        """Whom a look answers: in runs without the marks everybody, or nobody as soon as anybody overtook it."""
        every, each = answers(self._state, measured, each=False), answers(self._state, measured)
        if every.everything or not self._marked(MEANWHILE):
            return ALL
        return each if each != every and self._marked(EACH) else every

    def _here(self) -> bool:
        """Whether a word is judged within the workflow task that brought it. As an activity of the server it takes two
        more ways to it and back; every other look is one, so that it may take its time."""
        return self._fewer or workflow.patched(HERE)

    async def _listen(self, step: Step, digest: str) -> None:
        """Judge what the watch measured, before measuring anew: a breach that its evidence bears out halts the rollout
        at once. A signal may be anybody's, so the activity takes the evidence from the store alone, and whatever else
        comes of it, the rollout looks for itself next."""
        state, oldest = self._state, not_before(self._state)
        if oldest is None:
            return
        request = AssessRequest(
            key=self._key(),
            snapshot_digest=digest,
            plan_digest=state.plan_digest,
            phase=state.phase.value,
            tolerance_since=state.tolerance_since or oldest,
            baselines_from=baselines_from(state),
            brief=not self._once,
            table=self._once,
            not_before=oldest,
        )
        try:
            here = self._here()
            options = LISTENING_HERE if here else LISTENING
            whole = await self._judge(request, f"judge what the watch saw: {step.about}", options, here=here)
        except FailureError as error:  # of what ran here it is the activity's own error, not one around it
            if is_cancelled_exception(error):
                raise
            return
        now = self._now()
        halted = borne_out(self._state, whole, step.about, now)
        if halted is not None:
            self._state = done(halted, step, now)

    async def _judge(
        self, request: AssessRequest, summary: str, options: Mapping[str, Any], *, here: bool = False
    ) -> Assessment:
        judged: Assessment | AssessmentBrief
        either: Any = Assessment | AssessmentBrief
        if here:
            judged = await workflow.execute_local_activity(
                "assess_thresholds", request, result_type=either, summary=summary, **options
            )
        else:
            judged = await self._call("assess_thresholds", request, either, summary, options)
        if isinstance(judged, AssessmentBrief):
            return judged.against(self._state.plan, request.snapshot_digest)
        return judged

    async def _measure(self, request: FetchRequest, summary: str) -> Snapshot | SnapshotBrief:
        found: Snapshot | SnapshotBrief = await self._call(
            "fetch_metrics", request, Snapshot | SnapshotBrief, summary, MEASURING
        )
        return found
