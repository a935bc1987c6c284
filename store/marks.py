"""What the watch saw last of each rollout, and when it last told it something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from models.base import Frozen, Instant, digest_json
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_WRITE = statement("watch/write_marks")

Picture: TypeAlias = dict[str, tuple[str, ...]]
"""What a rollout cares about, by `cohort/metric`: the verdict, and whether data are current and the sample reached.
Fulfilled stop conditions stand beside them, and how far a value moved because facts were restated."""


class WatchMark(Frozen):
    """Programme times; `evaluated_at` is the latest look at everything, `told_at` the latest word. `breached` names the
    guardrails not met in the picture."""

    evaluated_at: Instant
    told_at: Instant | None
    breached: tuple[str, ...] = ()
    picture: Picture = {}

    @property
    def signature(self) -> str:
        """While it is the same there is nothing new to tell."""
        return digest_json({name: list(words) for name, words in self.picture.items()})


def mark_of(row: Any) -> WatchMark | None:
    """The mark beside a rollout; one that was never looked at has none."""
    if row["evaluated_at"] is None:
        return None
    return WatchMark(
        evaluated_at=row["evaluated_at"],
        told_at=row["told_at"],
        breached=tuple(row["breached"]),
        picture={name: tuple(words) for name, words in row["picture"].items()},
    )


async def write_marks(conn: Connection, marks: Mapping[RolloutKey, WatchMark]) -> None:
    """Keep marks in place of the ones before; where a later look has left its own, that one stays."""
    keys, found = list(marks), list(marks.values())
    await conn.execute(
        _WRITE,
        [key.rollout_id for key in keys],
        [key.chain_id for key in keys],
        [mark.evaluated_at for mark in found],
        [mark.told_at for mark in found],
        [mark.signature for mark in found],
        ["\n".join(mark.breached) for mark in found],
        [{name: list(words) for name, words in mark.picture.items()} for mark in found],
    )
