"""Compliance score: what the checks that apply to a partner found, by weight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime, timedelta
from fractions import Fraction

from models.evidence import Window
from tests.store.plainly.book import HUNDRED, Book, Parts, Row, happened, midnight

WORTH = {"pass": Fraction(1), "fail": Fraction(0)}
ENOUGH = Fraction(8, 10)


def active(row: Row, as_of: datetime) -> bool:
    begun = row["active_from"] is None or midnight(row["active_from"]) <= as_of
    return begun and (row["active_to"] is None or as_of < midnight(row["active_to"]))


def in_force(checks: Collection[Row], check_id: str, as_of: datetime) -> Row | None:
    """The newest version that is in effect; a check whose newest is retired is no check any more."""
    begun = [one for one in checks if one["check_id"] == check_id and midnight(one["effective_from"]) <= as_of]
    newest = max(begun, key=lambda one: int(one["version"]), default=None)
    retired = newest is not None and newest["retired_on"] is not None and midnight(newest["retired_on"]) <= as_of
    return None if retired else newest


def applies(check: Row, partner: Row) -> bool:
    asked = ((check["types"], "type"), (check["tiers"], "tier"), (check["regions"], "region"))
    return all(allowed is None or partner[of] in allowed for allowed, of in asked)


def lasts_until(result: Row, check: Row) -> date | None:
    """The last day a result counts; None: for good."""
    last: date | None = result["valid_until"]
    if last is None and check["validity_days"] is not None:
        last = result["assessed_at"].date() + timedelta(days=check["validity_days"])
    return last and last + timedelta(days=check["grace_days"])


def compliance(book: Book, partners: Collection[str], window: Window, as_of: datetime) -> dict[str, Parts]:
    """By partner; who is not active, or to whom no check applies, is not among them. Without a score there is no
    numerator."""
    found: dict[str, Parts] = {}
    checks = list(book.as_of("compliance_check", as_of).values())
    results = book.as_of("compliance_result", as_of)
    for partner in book.as_of("partner", as_of).values():
        if partner["partner_id"] not in partners or not active(partner, as_of):
            continue
        parts: Parts = defaultdict(Fraction)
        applied = False
        for check_id in sorted({one["check_id"] for one in checks}):
            now = in_force(checks, check_id, as_of)
            if now is not None and applies(now, partner):
                applied = True
                waived = any(
                    midnight(one["valid_from"]) <= as_of < midnight(one["valid_until"] + timedelta(days=1))
                    and not happened(one["revoked_at"], one["revoked_known_at"], as_of)
                    for one in book.as_of("compliance_waiver", as_of).values()
                    if (one["partner_id"], one["check_id"]) == (partner["partner_id"], check_id)
                )
                mine = [
                    (one["assessed_at"], one["known_at"], name, one)
                    for name, one in results.items()
                    if (one["partner_id"], one["check_id"]) == (partner["partner_id"], check_id)
                    and one["assessed_at"] <= as_of
                ]
                _look(
                    parts, checks, now, max(mine, key=lambda one: one[:3])[3] if mine else None, waived, window, as_of
                )
        if applied:
            found[partner["partner_id"]] = parts
            if parts["weight_assessed"] and parts["weight_assessed"] >= ENOUGH * parts["weight_applicable"]:
                parts["numerator"] = HUNDRED * parts["weighted_result"] / parts["weight_assessed"]
                parts["denominator"] = Fraction(1)
    return found


def _look(
    parts: Parts,
    checks: Collection[Row],
    now: Row,
    result: Row | None,
    waived: bool,
    window: Window,
    as_of: datetime,
) -> None:
    """One check of one partner."""
    made, expired = now, False
    if result is not None:
        parts["assessed_in_window"] += window.start <= result["assessed_at"] < window.end
        [made] = [
            one for one in checks if (one["check_id"], one["version"]) == (now["check_id"], result["version"])
        ] or [now]
        last = lasts_until(result, made)
        if last is not None and midnight(last + timedelta(days=1)) <= as_of:
            expired, result = True, None
    weight = Fraction((made if result is not None else now)["weight"])
    critical = (made if result is not None else now)["critical"]
    outcome = result["outcome"] if result is not None else None
    if outcome == "not_applicable":
        parts["not_applicable"] += 1
        return
    parts["weight_applicable"] += weight
    if waived:
        parts["waived"] += 1
        parts["facts"] += 1
        parts["weight_assessed"] += weight
        parts["weighted_result"] += weight
        return
    if outcome is None:
        parts["expired" if expired else "not_assessed"] += 1
    elif outcome == "inconclusive":
        parts["inconclusive"] += 1
    else:
        assert result is not None
        parts["facts"] += 1
        parts["weight_assessed"] += weight
        worth = Fraction(result["value"]) if outcome == "partial" else WORTH[outcome]
        parts["weighted_result"] += weight * worth
        parts["critical_failed"] += critical and worth == 0
        return
    parts["critical_unassessed"] += critical


def compliance_of(parts: Collection[Parts]) -> Fraction | None:
    """Of a group: the mean over partners with a score, where enough of all their weight is assessed."""
    scores = [one["numerator"] for one in parts if "numerator" in one]
    applicable = sum(one["weight_applicable"] for one in parts)
    assessed = sum(one["weight_assessed"] for one in parts)
    if not scores or assessed < ENOUGH * applicable:
        return None
    return sum(scores, Fraction()) / len(scores)
