"""How far each source of facts that live on is heard of: by whatever happened to them last, not by when they began."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime

from models.metric import MetricName
from models.quality import LIVING_ON
from store.pool import Connection
from store.statements import shared_statement

_SIGNS = {metric: shared_statement("quality/signs_of_life", metric) for metric in LIVING_ON}


async def read_signs_of_life(
    conn: Connection, metric: MetricName, groups: Sequence[Collection[str]], as_of: datetime
) -> list[dict[str, date]]:
    """Of each group by source the newest day of anything known to have happened to facts of its partners: a decision, a
    payment, a completion, an import of the list of partners; nothing of a metric whose facts do not live on."""
    found: list[dict[str, date]] = [{} for _ in groups]
    sql = _SIGNS.get(metric)
    if sql is None:
        return found
    pairs = [(number, partner) for number, group in enumerate(groups) for partner in dict.fromkeys(group)]
    members = [number for number, _ in pairs], [partner for _, partner in pairs]
    for row in await conn.fetch(sql, *members, as_of):
        found[row["group_no"]][row["source_system"]] = row["through"]
    return found
