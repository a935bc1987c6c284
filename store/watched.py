"""Rollouts as the watch looks at them: what has not changed since it was read is not read again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, TypeAlias

from models.work import RolloutKey
from store.marks import WatchMark, mark_of
from store.pool import Connection
from store.rollouts import COLUMNS, StoredRollout, stored_of
from store.statements import statement

_READ: Final = statement("watch/with_marks").replace("\n:columns\n", f"\n{COLUMNS}")

_AT_HAND: Final = 100_000
"""How much is remembered: each partner of a watched cohort counts once, and a rollout with its plan as `_ALONE`."""

_ALONE: Final = 200

_Version: TypeAlias = str
"""The row that the database has of a rollout. No change of it leaves it as it is, whoever made it."""


class Watched:
    """Reads rollouts of one database, and remembers them.

    A look reads the same rollouts as the one before, and what they are (plan, cohorts, baselines) is far more than
    what tells whether they are still the same.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[RolloutKey, tuple[_Version, StoredRollout]] = OrderedDict()
        self._weight = 0

    async def read(
        self, conn: Connection, keys: Sequence[RolloutKey]
    ) -> tuple[tuple[StoredRollout, WatchMark | None], ...]:
        """These chains of rollouts as they stand now, each with what the watch saw of it last; in no particular order,
        and without those that are not stored."""
        known = {key: self._known[key] for key in keys if key in self._known}
        versions = [known[key][0] if key in known else None for key in keys]
        rows = await conn.fetch(_READ, [key.rollout_id for key in keys], [key.chain_id for key in keys], versions)
        found = []
        for row in rows:
            key = RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"])
            # No row has no plan: it says nothing else where it is the one known.
            rollout = known[key][1] if row["plan"] is None else stored_of(row)
            self._remember(key, row["version"], rollout)
            found.append((rollout, mark_of(row)))
        return tuple(found)

    def _remember(self, key: RolloutKey, version: _Version, rollout: StoredRollout) -> None:
        self._forget(key)
        self._known[key] = version, rollout
        self._weight += _weight(rollout)
        while self._weight > _AT_HAND:
            self._forget(next(iter(self._known)))

    def _forget(self, key: RolloutKey) -> None:
        if key in self._known:
            self._weight -= _weight(self._known.pop(key)[1])


def _weight(rollout: StoredRollout) -> int:
    return _ALONE + sum(one.size for one in rollout.standing.watched)
