"""Judging a pause in hindsight: an owner says whether it was right or a false alarm, and the log keeps that."""

from __future__ import annotations

from models.command import JudgePause, PauseVerdict, Verb
from models.log import EntryKind
from models.rollout import PauseCause, PauseRecord, PauseState, RolloutState
from workflows.asking import Refused, fields, same, who
from workflows.journal import Now, write

WHILE_STOPPING = (Verb.ACKNOWLEDGE, Verb.JUDGE_PAUSE)
"""What may be asked while a rollout stops: it moves nothing."""

MOST = 100
"""Pauses that a rollout carries to be judged; before that many, the oldest can be judged no more."""


def remember(state: RolloutState, pause: PauseState) -> RolloutState:
    """The pause under the sequence of the newest entry, which tells of it."""
    record = PauseRecord(
        sequence=state.sequence, since=pause.since, guardrail=pause.cause is PauseCause.GUARDRAIL, roles=pause.must_act
    )
    return state.model_copy(update={"pauses": (*state.pauses, record)[-MOST:]})


def judge_pause(state: RolloutState, command: JudgePause, now: Now) -> RolloutState:
    """Write down what an owner says of a pause. It moves nothing: neither a pause that stands nor the way it ends.

    Raises:
        Refused: there is no such pause, it is not this owner's to judge.
    """
    paused = next((one for one in state.pauses if one.sequence == command.pause), None)
    if paused is None:
        known = ", ".join(str(one.sequence) for one in state.pauses) or "there is none"
        raise Refused(f"entry {command.pause} is no pause of this rollout that can be judged; its pauses: {known}")
    owner = who(state, command, now, *paused.roles)
    if paused.guardrail and same(owner.identity, state.plan.proposer):
        raise Refused("the proposer does not judge a pause of their own change after a breach")
    said = "right" if command.verdict is PauseVerdict.RIGHT else "a false alarm"
    entry = fields(command, owner, Verb.JUDGE_PAUSE)
    entry["detail"] = {**entry.get("detail", {}), "pause": command.pause, "verdict": command.verdict.value}
    told = f"{owner.name} judges the pause of {paused.since:%Y-%m-%d} (entry {command.pause}): {said}"
    return write(state, now, EntryKind.REVIEW, told, **entry)
