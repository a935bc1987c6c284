"""How facts are counted day by day in `fact_day`, and what it takes to read that as of an earlier moment."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from store.statements import statement


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
"""By table, as the triggers of `fact_day` have it."""

_CORRECTED = statement("quality/corrected")
_NONE = """
select null::text as facts_of, null::text as source_system, null::date as day, null::date as known_on,
       null::text as currency, 0 as facts, 0::numeric as amount
where false
"""


def days_as_of(sql: str, moment: str, *tables: str) -> str:
    """A statement that reads `fact_day` with `:corrected` beside it, as these tables were known at a moment.

    Args:
        moment: the parameter that holds it, such as `$4`. Built of the project's own names only.
    """
    parts = [_corrected(table, moment) for table in tables if table in COUNTED] or [_NONE]
    return sql.replace("(:corrected)", "(\n" + "\nunion all\n".join(f"({part})" for part in parts) + ")")


def _corrected(table: str, moment: str) -> str:
    sql = _CORRECTED.replace(":table", table).replace(":as_of", f"{moment}::timestamptz")
    for name, expression in COUNTED[table]._asdict().items():
        sql = sql.replace(f":{name}", expression)
    return sql
