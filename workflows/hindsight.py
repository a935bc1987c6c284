"""Judging a pause in hindsight: an owner says whether it was right or a false alarm, and the log keeps that."""

from __future__ import annotations

from models.command import JudgePause, PauseVerdict, Verb
from models.log import EntryKind
from models.outline import Outline
from models.plan import Owner, RolloutPlan
from models.rollout import PauseCause, PauseRecord, PauseState, RolloutState
from workflows.asking import Refused, fields, same, who
from workflows.journal import Now, write

WHILE_STOPPING = (Verb.ACKNOWLEDGE, Verb.JUDGE_PAUSE)
"""What may be asked while a rollout stops: it moves nothing."""

SHOWN = 5
"""Pauses that a letter tells of."""

MOST = 100
"""Pauses that a rollout carries to be judged; before that many, the oldest can be judged no more."""


def remember(state: RolloutState, pause: PauseState) -> RolloutState:
    """The pause under the sequence of the newest entry, which tells of it."""
    record = PauseRecord(
        sequence=state.sequence,
        since=pause.since,
        guardrail=pause.cause is PauseCause.GUARDRAIL,
        roles=pause.must_act,
        judged=False,
    )
    return state.model_copy(update={"pauses": (*state.pauses, record)[-MOST:]})


def judges(plan: RolloutPlan | Outline, roles: tuple[str, ...], *, guardrail: bool) -> tuple[Owner, ...]:
    """Whose a pause is to judge: whoever had to act on it, and never the proposer after a breach."""
    return tuple(one for one in plan.holders(*roles) if not (guardrail and same(one.identity, plan.proposer)))


def unjudged(state: RolloutState) -> tuple[PauseRecord, ...]:
    """The pauses that are over, by a stop as well, and that nobody has judged. Of those that were remembered before
    that was kept nobody knows."""
    over = state.pauses[:-1] if state.pause and state.stop_resolution is None else state.pauses
    return tuple(one for one in over if one.judged is False)


def still_to_judge(state: RolloutState) -> str:
    """What a letter says of them, on lines of its own: which they are, whose to judge, and how. Nothing without any."""
    found = unjudged(state)
    if not found:
        return ""
    lines = [
        f"{_told(one)}: {_named(judges(state.plan, one.roles, guardrail=one.guardrail))}" for one in found[-SHOWN:]
    ]
    how = f"rollouts judge-pause {state.plan.id} --pause ENTRY --verdict right|false-alarm -m WHY, or on its page"
    return "\n".join(("", f"Not judged by anybody yet{_more(found)}:", *lines, f"How: {how}"))


def left_unjudged(state: RolloutState) -> str:
    """The same once it is over and nobody can judge any more."""
    found = unjudged(state)
    if not found:
        return ""
    told = "; ".join(map(_told, found[-SHOWN:]))
    return f"\nNever judged{_more(found)}, so counted as neither right nor a false alarm: {told}"


def _told(pause: PauseRecord) -> str:
    return f"the pause of {pause.since:%Y-%m-%d} (entry {pause.sequence})"


def _more(found: tuple[PauseRecord, ...]) -> str:
    return f", the newest {SHOWN} of {len(found)}" if len(found) > SHOWN else ""


def _named(owners: tuple[Owner, ...]) -> str:
    return ", ".join(one.name for one in owners) or "nobody may"


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
    judged = tuple(
        one.model_copy(update={"judged": True}) if one.sequence == paused.sequence else one for one in state.pauses
    )
    state = state.model_copy(update={"pauses": judged})
    told = f"{owner.name} judges the pause of {paused.since:%Y-%m-%d} (entry {command.pause}): {said}"
    return write(state, now, EntryKind.REVIEW, told, **entry)
