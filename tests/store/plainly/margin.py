"""Contribution margin: revenue less what selling through a partner costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime, timedelta
from fractions import Fraction

from models.evidence import Window
from tests.store.plainly.book import Book, Parts, happened, in_days, midnight, month_of

_PART_OF = {
    "product": "product_cost",
    "freight": "freight_cost",
    "support": "support_cost",
    "commission": "partner_payments",
    "rebate": "partner_payments",
    "spiff": "partner_payments",
}


def _share_of_month(month: date, window: Window) -> Fraction:
    """How much of a month lies in a window: a rebate is earned evenly."""
    begins, ends = midnight(month), midnight(month_of(month + timedelta(days=31)))
    inside = min(ends, window.end) - max(begins, window.start)
    return max(Fraction(), in_days(inside)) / in_days(ends - begins)


def margin(book: Book, partners: Collection[str], window: Window, as_of: datetime) -> dict[str, Parts]:
    """By partner; who has neither revenue nor cost is not among them."""
    found: dict[str, Parts] = defaultdict(lambda: defaultdict(Fraction))

    def inside(day: date) -> bool:
        return window.start <= midnight(day) < window.end and midnight(day) <= as_of

    def dollars(parts: Parts, amount: Fraction, currency: str, month: date) -> Fraction:
        rate = book.rate(currency, month, as_of)
        if rate is None:
            parts["missing_fx"] += 1
        return amount * (rate or 0)

    lines = book.as_of("partner_transaction", as_of)
    credited: dict[str, Fraction] = defaultdict(Fraction)
    for line in lines.values():
        if line["attribution"] == "sourced":
            credited[line["transaction_id"]] += Fraction(line["credit_share"])
    for line in lines.values():
        if line["partner_id"] not in partners or not inside(line["transaction_date"]):
            continue
        parts = found[line["partner_id"]]
        share = Fraction(line["net_amount"]) * Fraction(line["credit_share"])
        amount = dollars(parts, share, line["currency"], month_of(line["transaction_date"]))
        if line["attribution"] == "influenced":
            parts["influenced_revenue"] += amount
            continue
        parts["facts"] += 1
        parts["net_revenue"] += amount
        parts["returned"] -= amount if line["kind"] != "sale" else 0
        parts["over_credited"] += credited[line["transaction_id"]] > 1
    for cost in book.as_of("partner_cost", as_of).values():
        if cost["partner_id"] not in partners or cost["attribution"] == "influenced":
            continue
        rebate = cost["kind"] == "rebate"
        day = cost["earned_period"] if rebate else cost["recognised_on"]
        counted = _share_of_month(day, window) if rebate else Fraction(inside(day))
        if counted:
            parts = found[cost["partner_id"]]
            share = Fraction(cost["amount"]) * Fraction(cost["credit_share"]) * counted
            parts[_PART_OF[cost["kind"]]] += dollars(parts, share, cost["currency"], month_of(day))
            parts["cost_lines"] += 1
    for claim in book.as_of("mdf_claim", as_of).values():
        paid = claim["paid_at"]
        if (
            claim["partner_id"] in partners
            and happened(paid, claim["paid_known_at"], as_of)
            and window.start <= paid < window.end
        ):
            parts = found[claim["partner_id"]]
            parts["mdf"] += dollars(parts, Fraction(claim["paid_amount"]), claim["currency"], month_of(paid))
    for parts in found.values():
        spent = sum((parts[name] for name in {*_PART_OF.values(), "mdf"}), Fraction())
        parts["contribution"] = parts["numerator"] = parts["net_revenue"] - spent
        parts["denominator"] = parts["net_revenue"]
    return dict(found)


def margin_of(parts: Collection[Parts]) -> Fraction | None:
    """Of a group in percent; None where there is none."""
    revenue = sum(one["net_revenue"] for one in parts)
    lacks = any(one["missing_fx"] or one["over_credited"] for one in parts)
    if lacks or revenue <= 0 or not any(one["cost_lines"] for one in parts):
        return None
    return 100 * sum((one["contribution"] for one in parts), Fraction()) / revenue
