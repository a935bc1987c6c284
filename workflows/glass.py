"""Breaking the glass: somebody the plan need not name pauses or stops a rollout, and can do nothing else with it."""

from __future__ import annotations

from typing import Any

from models.claims import BREAK_GLASS, Claims
from models.command import Command, Stop, Verb
from models.rollout import PauseCause, PauseState, RolloutState
from workflows.asking import Refused, fields
from workflows.journal import Now
from workflows.pauses import pause_now, stop


def break_glass(state: RolloutState, command: Command, claims: Claims, now: Now) -> RolloutState:
    """Pause until those who may resume after a breach do, or stop without anybody else's agreement.

    Raises:
        Refused: the rollout is paused already.
    """
    told = f"{claims.name} broke the glass: {command.reason}"
    if isinstance(command, Stop):
        return stop(state, command.resolution, told, now, **_entry(command, Verb.STOP))
    if state.pause:
        raise Refused(f"already paused: {state.pause.detail}")
    pause = PauseState(
        cause=PauseCause.PERSON,
        since=now.programme,
        detail=told,
        must_act=state.plan.approvals.override.roles,
        by=command.actor,
    )
    return pause_now(state, pause, now, **_entry(command, Verb.PAUSE))


def _entry(command: Command, verb: Verb) -> dict[str, Any]:
    return fields(command, None, verb) | {"role": BREAK_GLASS}
