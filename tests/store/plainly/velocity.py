"""Pipeline velocity: how much a partner wins a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

from models.evidence import Window
from tests.store.plainly.book import Book, Parts, Row, happened, in_days, month_of


class Close(NamedTuple):
    at: datetime
    outcome: str
    amount: Any


def closed(deal: Row, undone: Collection[Row], as_of: datetime) -> Close | None:
    """How a deal stands closed; None while it is open. A close stands until it is known that the deal was opened again
    after it, whether or not the row of the deal still says it, and whichever of its closes that is said to undo."""
    reopened = [one["reopened_at"] for one in undone if happened(one["reopened_at"], one["reopened_known_at"], as_of)]
    known = happened(deal["closed_at"], deal["closed_known_at"], as_of)
    if known and not any(since > deal["closed_at"] for since in reopened):
        return Close(deal["closed_at"], deal["outcome"], deal["amount"])
    stood = [
        Close(one["closed_at"], one["outcome"], one["amount"])
        for one in undone
        if happened(one["closed_at"], one["closed_known_at"], as_of)
        and not happened(one["reopened_at"], one["reopened_known_at"], as_of)
        and not any(since > one["closed_at"] for since in reopened)
    ]
    return max(stood, key=lambda one: one.at, default=None)


def velocity(book: Book, partners: Collection[str], window: Window, as_of: datetime) -> dict[str, Parts]:
    """By partner; who has no deal is not among them."""
    found: dict[str, Parts] = defaultdict(lambda: defaultdict(Fraction))
    reopened = book.as_of("opportunity_reopening", as_of).values()
    for name, deal in book.as_of("opportunity", as_of).items():
        if deal["partner_id"] not in partners:
            continue
        last = closed(deal, [one for one in reopened if one["opportunity_id"] == name], as_of)
        qualified = deal["qualified_at"]
        known = qualified is not None and qualified <= as_of
        if last is None:
            if deal["origin"] != "influenced":
                found[deal["partner_id"]]["open" if known else "unqualified"] += 1
            continue
        if not window.start <= last.at < window.end:
            continue
        parts = found[deal["partner_id"]]
        if deal["origin"] == "influenced":
            parts["influenced"] += 1
        elif last.outcome in {"cancelled", "duplicate"}:
            parts[last.outcome] += 1
        elif not known:
            parts["unqualified"] += 1
        elif last.at < qualified:
            parts["invalid"] += 1
        else:
            parts["opportunities"] += 1
            parts["facts"] += 1
            parts[last.outcome] += 1
            if last.outcome == "won":
                rate = book.rate(deal["currency"], month_of(last.at), as_of)
                parts["missing_fx"] += rate is None
                parts["won_value"] += Fraction(last.amount) * (rate or 0)
                parts["cycle_days"] += max(Fraction(1), in_days(last.at - qualified))
    return dict(found)


def velocity_of(parts: Collection[Parts]) -> Fraction | None:
    """Of a group in dollars a day: deals x win rate x average worth / mean cycle, one after the other."""
    deals, won, lost, value, cycle = (
        sum((one[name] for one in parts), Fraction())
        for name in ("opportunities", "won", "lost", "won_value", "cycle_days")
    )
    if not won + lost or any(one["missing_fx"] for one in parts):
        return None
    return deals * (won / (won + lost)) * (value / won) / (cycle / won) if won else Fraction()
