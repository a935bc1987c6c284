"""Raises an alarm about a rollout's workflow: in the log, in the store for gauges and lists, and as a letter."""

from __future__ import annotations

import structlog

from models.rollout import Notice
from models.trouble import Trouble
from models.work import RolloutKey
from store import alarms, notices, rollouts
from store.alarms import Found
from store.pool import Connection

log = structlog.get_logger(__name__)

WHAT_TO_DO = {
    Trouble.TERMINATED: "Its partners stay as they are and nobody watches them.",
    Trouble.ENDED: "Its partners stay as they are and nobody watches them.",
    Trouble.DELETED: "Its partners stay as they are and nobody watches them.",
    Trouble.RESET: "What was decided after the point it was set back to may be forgotten by the rollout; the log has "
    "it still. This stands until somebody has looked into it.",
    Trouble.PAUSED: "It does nothing until it is unpaused: `temporal workflow unpause`. Nobody watches its partners.",
    Trouble.REPLACED: "Another start of the plan runs under its name.",
    Trouble.REWRITTEN: "Both are kept. The history of a run only ever grows: somebody has set the rollout back, or "
    "changed what Temporal holds.",
}


def was_reset(run_id: str, reset_from: str) -> Found:
    """That somebody set a rollout back: the run begins as an earlier one did."""
    text = f"somebody reset the workflow: run {run_id} repeats the beginning of run {reset_from}"
    return Found(Trouble.RESET, run_id, text)


async def raise_alarm(conn: Connection, key: RolloutKey, found: Found) -> bool:
    """Raise an alarm and tell every owner, once for each time it is raised. To be called in a transaction.

    Returns whether it is a new one.
    """
    raised = await alarms.raise_alarm(conn, key, found)
    if raised is None:
        return False
    log.error(
        "workflow_alarm",
        rollout=key.rollout_id,
        chain=key.chain_id,
        trouble=found.trouble.value,
        about=found.about,
        detail=found.detail,
    )
    plan = await rollouts.read_plan(conn, key)
    if plan is not None:
        await notices.queue(
            conn,
            key,
            plan,
            Notice(
                notice_id=f"{key.rollout_id}/{key.chain_id}/alarm/{found.trouble.value}/{found.about}/{raised:%Y%m%dT%H%M%S}",
                kind="workflow-alarm",
                roles=(),
                subject=f"{plan.title}: its workflow is {found.trouble.value}",
                body=f"{found.detail[:1].upper()}{found.detail[1:]}.\n{WHAT_TO_DO[found.trouble]}",
                cause=found.trouble.value,
                must_act=tuple(owner.role for owner in plan.owners),
            ),
        )
    return True
