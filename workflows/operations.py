"""How requests reach a rollout: signals by name, the same names as updates, and nothing that can raise.

Payloads are taken raw and read here, because the SDK drops a signal whose payload it cannot decode, and a
wrong number of arguments would fail the workflow task for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from models.command import COMMANDS, Command, DailyWord, Verb
    from models.log import Outcome, Receipt
    from models.rollout import RolloutState
    from models.writable import where_unwritable, written
    from workflows.asking import refuse
    from workflows.journal import Now, now_of
    from workflows.kept import Kept
    from workflows.marks import BOTH_NAMES, HEARD, IN_PLACE, WRITABLE
    from workflows.pauses import asks_in_place, owner_alone, paused_in_place
    from workflows.requests import quiet, receipt_of, receive, unheard
    from workflows.timer import overtaken

ANSWER_WITHIN = timedelta(seconds=60)
"""How long an update waits for a request that needs fresh evidence first."""


class Operations:
    """The signals and updates of a rollout. The class that inherits it acts on what they leave in `_state`."""

    _kept: Kept
    _woken: bool
    _waiting: bool
    _until: datetime | None = None
    """While it waits: the programme moment that its timer is set to."""
    _once: bool
    _fewer: bool

    @property
    def _state(self) -> RolloutState:
        return self._kept.state

    @_state.setter
    def _state(self, state: RolloutState) -> None:
        self._kept.state = state

    def _marked(self, mark: str) -> bool:
        """Whether the run began with what a mark names. The newest mark says so of all before it at once."""
        return self._once or workflow.patched(mark)

    def _rest(self) -> None:
        """Pack the state if nothing goes on with it. A replay need not: it would unpack it again at once."""
        if self._waiting and not self._woken and not workflow.unsafe.is_replaying():
            self._kept.pack()

    @workflow.signal(name="decide", description="Approve or reject the open gate (owner)")
    def on_decide(self, payload: RawValue) -> None:
        self._receive(Verb.DECIDE, (payload,))

    @workflow.signal(name="pause", description="Pause the rollout (any owner)")
    def on_pause(self, payload: RawValue) -> None:
        self._receive(Verb.PAUSE, (payload,))

    @workflow.signal(name="resume", description="Resume after a pause, on fresh evidence (who must act)")
    def on_resume(self, payload: RawValue) -> None:
        self._receive(Verb.RESUME, (payload,))

    @workflow.signal(name="override", description="Let a breached metric be until a date (agreed roles)")
    def on_override(self, payload: RawValue) -> None:
        self._receive(Verb.OVERRIDE, (payload,))

    @workflow.signal(name="review", description="Record a held review checkpoint (review roles)")
    def on_review(self, payload: RawValue) -> None:
        self._receive(Verb.REVIEW, (payload,))

    @workflow.signal(name="confirm_ownership", description="Confirm the role the plan gives you (owner)")
    def on_confirm_ownership(self, payload: RawValue) -> None:
        self._receive(Verb.CONFIRM_OWNERSHIP, (payload,))

    @workflow.signal(name="acknowledge", description="Say that you have taken note (owner)")
    def on_acknowledge(self, payload: RawValue) -> None:
        self._receive(Verb.ACKNOWLEDGE, (payload,))

    @workflow.signal(name="report_breach", description="Report a metric beyond its limit (owner, watch)")
    def on_report_breach(self, payload: RawValue) -> None:
        self._receive(Verb.REPORT_BREACH, (payload,))

    @workflow.signal(name="report_evidence", description="The watch's word on what it sees (watch)")
    def on_report_evidence(self, payload: RawValue) -> None:
        self._receive(Verb.REPORT_EVIDENCE, (payload,))

    @workflow.signal(name="stop", description="Stop, keeping or withdrawing each cohort (agreed roles)")
    def on_stop(self, payload: RawValue) -> None:
        self._receive(Verb.STOP, (payload,))

    @workflow.signal(name="delegate", description="Let somebody decide in your place until a date (owner)")
    def on_delegate(self, payload: RawValue) -> None:
        self._receive(Verb.DELEGATE, (payload,))

    @workflow.signal(name="judge_pause", description="Say whether a pause was right or a false alarm (who had to act)")
    def on_judge_pause(self, payload: RawValue) -> None:
        self._receive(Verb.JUDGE_PAUSE, (payload,))

    @workflow.signal(dynamic=True)
    def on_anything_else(self, name: str, payloads: Sequence[RawValue]) -> None:
        self.note_malformed(name, "no such operation")

    @workflow.update(dynamic=True)
    async def on_update(self, name: str, payloads: Sequence[RawValue]) -> Receipt:
        """The same operations for callers who want the outcome at once."""
        if name not in {verb.value for verb in Verb}:
            return self.note_malformed(name, "no such operation")
        receipt = self._receive(Verb(name), payloads)
        if receipt.outcome is not Outcome.PENDING:
            return receipt
        try:
            await workflow.wait_condition(lambda: self._answer(receipt) is not None, timeout=ANSWER_WITHIN)
        except TimeoutError:
            return receipt
        return self._answer(receipt) or receipt

    def note_malformed(self, name: str, problem: str) -> Receipt:
        """Write down a request that could not even be read."""
        name, problem = written(name[:100]), written(problem[:500])
        self._state = refuse(self._state, name, problem, now_of(self._state, workflow.now()))
        self._woken = True
        return receipt_of(self._state)

    def _receive(self, verb: Verb, payloads: Sequence[RawValue]) -> Receipt:
        try:
            command = _read(verb, payloads, short_words=self._once)
        except Exception as problem:
            return self.note_malformed(verb.value, told(problem))
        field = where_unwritable(command.model_dump(mode="json"))
        if field is not None and self._marked(WRITABLE):
            return self.note_malformed(verb.value, f"{field} holds a character with the code 0, which no text has")
        before = self._state
        now = now_of(before, workflow.now())
        hear = not unheard(before, verb, command) or self._fewer or workflow.patched(HEARD)
        after, receipt = receive(before, verb, command, now, hear=hear)
        if paused_in_place(before, after) and not workflow.patched(IN_PLACE):
            return self.note_malformed(verb.value, "who stands in for an owner could not pause")
        self._state = self._with_names(before, after)
        self._woken = self._woken or not quiet(before, self._state) or self._waits_in_vain(now)
        self._rest()
        return receipt

    def _with_names(self, before: RolloutState, after: RolloutState) -> RolloutState:
        """What requests have come to; a run that resumed in an owner's place before says of it what it said then."""
        return owner_alone(after) if asks_in_place(before, after) and not workflow.patched(BOTH_NAMES) else after

    def _waits_in_vain(self, now: Now) -> bool:
        """Whether a quiet word has left the timer nothing to fire for; runs from before there was this let it fire."""
        return self._once and self._until is not None and overtaken(self._state, self._until, now)

    def _answer(self, pending: Receipt) -> Receipt | None:
        """The entry that settles a pending request, once it stands in the log."""
        for entry in self._state.recent:
            if (
                entry.request_id == pending.request_id
                and entry.sequence > pending.sequence
                and entry.outcome in (Outcome.APPLIED, Outcome.REFUSED)
                and "duplicate" not in (entry.refusal or "")
            ):
                return Receipt(
                    request_id=entry.request_id,
                    outcome=entry.outcome,
                    message=entry.message,
                    sequence=entry.sequence,
                )
        return None


def _read(verb: Verb, payloads: Sequence[RawValue], *, short_words: bool) -> Command:
    """A request as it was sent. A run from before the daily word was short takes it for one that cannot be read, as it
    did then."""
    if len(payloads) != 1:
        raise ValueError(f"{len(payloads)} arguments were sent, one is expected")
    payload = payloads[0].payload
    if payload.metadata.get("encoding") not in (b"json/plain", b"json/protobuf"):
        raise ValueError(f"the payload is {payload.metadata.get('encoding', b'?').decode(errors='replace')}, not JSON")
    said = payload.data
    if short_words and verb is Verb.REPORT_EVIDENCE and b'"request_id"' not in said and b'"actor"' not in said:
        return DailyWord.model_validate_json(said).at_length()
    return COMMANDS[verb].model_validate_json(said)


def told(problem: Exception) -> str:
    """What was wrong with a payload, in one bounded line."""
    from pydantic import ValidationError

    if not isinstance(problem, ValidationError):
        return str(problem)
    return "; ".join(
        f"{'.'.join(map(str, error['loc'])) or 'payload'}: {error['msg']}"
        for error in problem.errors(include_url=False, include_input=False)
    )
