"""Alarms about the workflows of rollouts: raised once for each trouble, and over when it is not found any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from models.trouble import Alarm, Trouble
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_RAISE = statement("alarms/raise")
_SETTLE = statement("alarms/settle")
_STANDING = statement("alarms/standing")
_OPEN = statement("alarms/open_rollouts")
_END = statement("alarms/end_with_rollout")

UNTIL_SEEN = (Trouble.RESET, Trouble.REWRITTEN)
"""What has happened and does not pass by itself: it stands until somebody has looked into it and says so, and the same
is not raised again then. A rollout that was set back carries on in new runs, and what it forgot stays forgotten."""

OF_WORKFLOWS = tuple(one for one in Trouble if one not in UNTIL_SEEN)
"""What is looked for again and again, and over when it is not found."""


class Found(NamedTuple):
    """A trouble that was found; `about` tells it from another one of the same kind, as a rule the run."""

    trouble: Trouble
    about: str
    detail: str


async def raise_alarm(conn: Connection, key: RolloutKey, found: Found) -> datetime | None:
    """Raise an alarm; when that was, None where it stands already or somebody has looked into it."""
    seen = found.trouble in UNTIL_SEEN
    raised: datetime | None = await conn.fetchval(
        _RAISE, key.rollout_id, key.chain_id, found.trouble.value, found.about, found.detail, seen
    )
    return raised


async def settle(conn: Connection, key: RolloutKey, found: Collection[Found]) -> tuple[Trouble, ...]:
    """What of a rollout's workflow stood and is not among what is found now, is over; which those were."""
    rows = await conn.fetch(
        _SETTLE,
        key.rollout_id,
        key.chain_id,
        [one.trouble.value for one in found],
        [one.about for one in found],
        [one.value for one in OF_WORKFLOWS],
    )
    return tuple(Trouble(row["trouble"]) for row in rows)


async def end_with_rollouts(conn: Connection) -> None:
    """The troubles of workflows whose rollout has ended are over."""
    await conn.execute(_END, [one.value for one in OF_WORKFLOWS])


async def standing(conn: Connection, rollout_id: str | None = None) -> tuple[Alarm, ...]:
    """The alarms that stand for a rollout, or for all, the oldest first."""
    return tuple(
        Alarm(
            key=RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]),
            trouble=Trouble(row["trouble"]),
            about=row["about"],
            detail=row["detail"],
            raised_at=row["raised_at"],
            over_at=row["over_at"],
        )
        for row in await conn.fetch(_STANDING, rollout_id)
    )


class OpenRollout(NamedTuple):
    """A rollout that should have a workflow, and whether an alarm stands for it."""

    key: RolloutKey
    alarmed: bool


async def open_rollouts(conn: Connection, rollout_ids: Sequence[str] | None = None) -> tuple[OpenRollout, ...]:
    """The open ones among these rollouts, or all open ones, the oldest first."""
    rows = await conn.fetch(_OPEN, list(rollout_ids) if rollout_ids is not None else None)
    return tuple(
        OpenRollout(RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]), row["alarmed"]) for row in rows
    )
