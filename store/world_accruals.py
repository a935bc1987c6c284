"""Accrual funds of a synthetic world: what large partners sell earns them money to spend, month by month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from store.world_programme import ACTIVITIES, COPAY, DESK, Fund, add_claim, funds_of
from store.world_rows import Rows
from store.world_sales import expected_quarterly_usd
from store.world_spec import WorldPartner, WorldSpec, add_months, days, midnight, money

_TIERS: Final = frozenset({"platinum", "gold"})
_SHARE: Final = 0.01  # of net sales
_UNCLAIMED: Final = 0.02
_NO_FATE: Final = 0.5


def _name(fund: Fund) -> str:
    return fund.budget.replace("mdf-", "accrual-")


def add_accrual_budgets(rows: Rows, spec: WorldSpec, partners: Iterable[WorldPartner]) -> None:
    """A fund each quarter; its amount is what the partners who earn are expected to earn."""
    expected = expected_quarterly_usd(spec) * _SHARE
    total = money(sum((expected * one.volume for one in partners if one.tier in _TIERS), 0.0))
    for fund in funds_of(spec):
        dates = (fund.start, fund.end, fund.claims_until)
        rows.add("mdf_budget", _name(fund), "accrual", *dates, total, "USD", _name(fund), fund.known)


def add_accruals(rows: Rows, spec: WorldSpec, partner: WorldPartner, sold: Mapping[date, float]) -> None:
    """What a partner's sales earn it: known with the rebates of the month, and most of it asked for soon after.

    `sold` is net, by month and in the partner's currency. The allocation of a quarter grows; each time it does, it says
    something else from then on.
    """
    if partner.tier not in _TIERS:
        return
    for fund in funds_of(spec):
        allocation, earned = f"{_name(fund)}-{partner.partner_id}", Decimal(0)
        chance = spec.chance(partner.partner_id, _name(fund))
        for number in range(3):
            month = add_months(fund.start, number)
            part = money(sold.get(month, 0.0) * partner.usd_per_unit * _SHARE)
            known = midnight(add_months(month, 1)) + timedelta(days=9, hours=18)
            if part > 0:
                if earned:
                    rows.amend("mdf_allocation", allocation, known, amount=earned + part)
                else:
                    names = (allocation, _name(fund), partner.partner_id)
                    rows.add("mdf_allocation", *names, part, "USD", allocation, known)
                earned += part
                _spend(
                    rows, chance, partner, f"{allocation}-{number}", allocation, part, known_day=known.date(), fund=fund
                )


def _spend(
    rows: Rows,
    chance: Random,
    partner: WorldPartner,
    request: str,
    allocation: str,
    part: Decimal,
    *,
    known_day: date,
    fund: Fund,
) -> None:
    """A request for what a month earned, and the claim that follows."""
    submitted = midnight(known_day) + days(1 + 2 * chance.random())
    decided = submitted + days(0.2 + 1.2 * chance.random())
    asked = money(float(part) * chance.uniform(0.88, 1.0))
    activity = (decided + days(3 + 8 * chance.random())).date()
    rows.add(
        "mdf_request",
        *(request, allocation, partner.partner_id, chance.choice(ACTIVITIES), asked, asked, "USD", COPAY, submitted),
        *("approved", decided, decided + days(0.3), DESK, activity, activity + timedelta(days=2), None, None, None),
        *(request, submitted + days(0.05)),
    )
    if chance.random() >= _UNCLAIMED:
        fate = (_NO_FATE, midnight(fund.claims_until))
        add_claim(chance, partner, request, asked, midnight(activity) + days(3), fate, rows)
