"""Facts of a synthetic world that are first told wrong and put right later.

What is put right is what the same world holds without this, so that a reading late enough is the same in both.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from random import Random
from typing import Any, Final, NamedTuple, TypeAlias

from store.world_programme import STEADY
from store.world_rows import COLUMNS, Heard, Rows
from store.world_spec import WorldSpec, days, money

_Row: TypeAlias = dict[str, Any]
_SOONEST, _LATEST = 2.0, 20.0  # days until it is put right


class _Mistake(NamedTuple):
    """How often a kind of row is first told wrong, when it is known, and what is said of it then."""

    share: float
    known: str
    told: Callable[[_Row, Random], _Row | None]


def _net(row: _Row, chance: Random) -> _Row | None:
    """Half are booked at list price, the others with a discount too many."""
    listed, net = row["list_amount"], row["net_amount"]
    if listed is not None and chance.random() < 0.5:
        return {"net_amount": listed, "discount_amount": Decimal("0.00")}
    less = money(float(net) * chance.uniform(0.7, 0.9))
    return {"net_amount": less} if listed is None else {"net_amount": less, "discount_amount": listed - less}


def _amount(row: _Row, chance: Random) -> _Row | None:
    """Booked at another cost than the final one."""
    return {"amount": money(float(row["amount"]) * chance.uniform(0.8, 1.2))}


def _worth(row: _Row, chance: Random) -> _Row | None:
    """The price that was asked, in place of the one that was signed."""
    return {"amount": money(float(row["amount"]) * chance.uniform(1.05, 1.4))} if row["outcome"] == "won" else None


def _paid(row: _Row, chance: Random) -> _Row | None:
    """Part of a payment, told as all of it."""
    return (
        None if row["paid_at"] is None else {"paid_amount": money(float(row["paid_amount"]) * chance.uniform(0.5, 0.9))}
    )


def _failed(row: _Row, chance: Random) -> _Row | None:
    """An exam that was marked wrong."""
    return {"passed": False} if row["completed_at"] is not None and row["passed"] else None


def _unclear(row: _Row, chance: Random) -> _Row | None:
    """Evidence that could not be read at first; what is critical is read by two."""
    return {"outcome": "inconclusive"} if row["outcome"] == "pass" and row["check_id"] not in STEADY else None


_MISTAKES: Final = {
    "partner_transaction": _Mistake(0.02, "known_at", _net),
    "partner_cost": _Mistake(0.01, "known_at", _amount),
    "opportunity": _Mistake(0.02, "closed_known_at", _worth),
    "mdf_claim": _Mistake(0.01, "paid_known_at", _paid),
    "enablement_assignment": _Mistake(0.02, "completed_known_at", _failed),
    "compliance_result": _Mistake(0.03, "known_at", _unclear),
}


def is_wrong(spec: WorldSpec, source_id: str, share: float) -> Random | None:
    """The chance of its own by which a row is told wrong; None: it is told as it is, as most are.

    By the row's name alone, so that what else is in the world says nothing about it.
    """
    drawn = blake2b(f"{spec.seed}/told/{source_id}".encode(), digest_size=8).digest()
    return spec.chance("told", source_id) if int.from_bytes(drawn) < share * 2**64 else None


def put_right_after(known: datetime, chance: Random) -> datetime:
    """When what was told wrong is put right."""
    return known + days(chance.uniform(_SOONEST, _LATEST))


def hears_wrong(spec: WorldSpec) -> Heard:
    """Has a few rows of most kinds told wrong at first. Leads are told by `store.world_hours`, with their clocks."""

    def heard(rows: Rows, table: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        mistake = _MISTAKES.get(table)
        if mistake is None:
            return values
        row = dict(zip(COLUMNS[table], values, strict=True))
        chance = is_wrong(spec, row["source_id"], mistake.share)
        first = mistake.told(row, chance) if chance is not None else None
        if chance is None or first is None:
            return values
        right = {name: row[name] for name in first}
        if right == first:
            return values
        rows.amend(table, row["source_id"], put_right_after(row[mistake.known], chance), **right)
        return tuple((row | first).values())

    return heard
