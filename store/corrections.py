"""Whether facts said something else at a moment than they say now, and how statements read them as they stood then.

Nearly every look is at a moment after which nothing was corrected: then facts as they stand are what was known, and to
read them takes less. So it is asked once a look, and statements are composed of the same text for either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from store.pool import Connection
from store.statements import statement

Corrections: TypeAlias = Mapping[str, datetime]
"""By table of facts the last moment at which what one of them said was put right; a table without any is not there.
Moments to come are among them, where a source's clock is ahead."""


class Counted(NamedTuple):
    """Expressions over a row: its day, when that became known, currency, amount, and whether it is counted at all."""

    day: str
    known: str
    currency: str = "''"
    amount: str = "0"
    which: str = "true"


COUNTED = MappingProxyType(
    {
        "lead": Counted("assigned_at", "known_at"),
        "opportunity": Counted(
            "closed_at", "greatest(known_at, closed_at, closed_known_at)", which="closed_at is not null"
        ),
        "partner_transaction": Counted(
            "transaction_date", "known_at", "currency::text", "net_amount * credit_share", "attribution = 'sourced'"
        ),
        "partner_cost": Counted(
            "recognised_on",
            "known_at",
            "currency::text",
            "amount * credit_share",
            "attribution = 'sourced' and kind = 'product'",
        ),
        "mdf_claim": Counted("submitted_at", "known_at"),
        "enablement_assignment": Counted("assigned_at", "known_at"),
        "compliance_result": Counted("assessed_at", "known_at"),
    }
)
"""By table how its facts are counted in `fact_day`, as the triggers have it."""

_CORRECTED = statement("quality/corrected")


async def read_corrections(conn: Connection, tables: Collection[str]) -> Corrections:
    """When facts of these tables were last corrected: one row at the end of an index for each of them.

    Args:
        conn: in the state of the database that the facts are read in.
    """
    names = tuple(sorted(set(tables)))
    [row] = await conn.fetch(_last_of(names))
    return {name: last for name, last in zip(names, row.values(), strict=True) if last is not None}


def corrected_since(corrections: Corrections, tables: Collection[str], moment: datetime) -> bool:
    """Whether a fact of these tables said something else at the moment than it says now."""
    return any(table in corrections and corrections[table] > moment for table in tables)


@cache
def _last_of(tables: tuple[str, ...]) -> str:
    """Built of the project's own names only."""
    return f"select {', '.join(f'(select max(superseded_at) from superseded.{one})' for one in tables)}"  # noqa: S608


class Forms(NamedTuple):
    """One statement in both its forms: of facts as they stand, and of facts as they were known at a moment."""

    standing: str
    known: str

    async def read(self, conn: Connection, moment: datetime | None, *values: object) -> list[Any]:
        """The rows of the form to use: the moment, where facts were corrected since, is the last of its values."""
        if moment is None:
            return await conn.fetch(self.standing, *values)
        return await conn.fetch(self.known, *values, moment)


def forms(compose: Callable[[str | None], str], moment: str) -> Forms:
    """Both forms of what `compose` makes: given the parameter that says when, such as `$4`, or None."""
    return Forms(compose(None), compose(moment))


def facts_at(sql: str, table: str, moment: str | None) -> str:
    """A statement that reads `:facts`, of a table as it stands or as it was known.

    Args:
        moment: the parameter that says when, such as `$4`; None for facts as they stand.
    """
    return sql.replace(":facts", f"{table}_as_of({moment}::timestamptz)" if moment else table)


def days_at(sql: str, tables: Collection[str], moment: str | None) -> str:
    """A statement that reads `(:days)`, which are those of `fact_day`; of an earlier moment with what it takes to make
    of them the days as these tables were known then. `moment` as in `facts_at`."""
    if moment is None:
        return sql.replace("(:days)", "fact_day")
    told = "select facts_of, source_system, day, known_on, currency, facts, amount from fact_day"
    parts = "\nunion all\n".join((told, *(_corrected(table, moment) for table in tables if table in COUNTED)))
    return sql.replace("(:days)", f"(\n{parts})")


def _corrected(table: str, moment: str) -> str:
    sql = _CORRECTED.replace(":table", table).replace(":as_of", f"{moment}::timestamptz")
    for name, expression in COUNTED[table]._asdict().items():
        sql = sql.replace(f":{name}", expression)
    return f"({sql})"
