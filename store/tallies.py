"""Counts of what stands in the store, for gauges: open rollouts by status, letters that did not get through,
alarms about workflows."""

from __future__ import annotations

from collections.abc import Mapping

from models.base import Frozen
from store.pool import Connection
from store.statements import statement

_TALLIES = statement("rollouts/tallies")


class Tallies(Frozen):
    """A state that nothing is in is left out."""

    open_rollouts: Mapping[str, int]
    letters: Mapping[str, int]
    alarms: Mapping[str, int]


async def read_tallies(conn: Connection) -> Tallies:
    """Count once, all from one state of the database."""
    found: dict[str, dict[str, int]] = {"rollout": {}, "letter": {}, "alarm": {}}
    for row in await conn.fetch(_TALLIES):
        found[row["what"]][row["state"]] = row["number"]
    return Tallies(open_rollouts=found["rollout"], letters=found["letter"], alarms=found["alarm"])
