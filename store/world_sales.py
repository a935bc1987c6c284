"""Deals, revenue and cost of a synthetic world: opportunities, sales with returns, their cost, rebates and rates."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from store.world_partners import HOME, USD_PER_UNIT
from store.world_rows import Rows
from store.world_spec import WorldPartner, WorldSpec, add_months, days, midnight, money, months_between

_DEAL_USD: Final = 18_000.0
_SALE_USD: Final = 9_000.0
_WIN_RATE: Final = 0.5
_PIPELINE_LEAD: Final = timedelta(days=60)  # deals begin before the world, so that its first days close some
_PRODUCT_SHARE, _PRODUCT_SPREAD = 0.675, 0.015
_REBATE_SHARE: Final = 0.015
_RETURNED: Final = 0.02
_LATE_BOOKED: Final = 0.03
_VENDORS, _REOPENED = 0.1, 0.02
_SHARED, _INFLUENCED = 0.02, 0.03  # a sale's fate up to each of them
_CREDITED, _SHARE = 0.01, Decimal("0.6")


def expected_quarterly_usd(spec: WorldSpec) -> float:
    """Net sales a partner of volume 1 makes in a quarter: mean of the sizes, less the mean discount."""
    return _SALE_USD * 1.13 * 0.9 * spec.sales * 13 / 4


def add_deals(rows: Rows, spec: WorldSpec, partner: WorldPartner) -> None:
    """Deals: registered steadily, qualified, closed after about three weeks, half of them won."""
    if not spec.deals:
        return
    chance, fates = spec.chance(partner.partner_id, "deals"), spec.chance(partner.partner_id, "deals", "fate")
    first, last = partner.active_days((spec.starts_at - _PIPELINE_LEAD).date(), spec.end)
    gap = 28 / (spec.deals * partner.volume)
    # Every other deal is won, wherever the count begins: winning in runs would make velocity a matter of luck.
    passed, share, number = chance.random() * gap, chance.random(), 0
    while passed < (last - first).days:
        registered = midnight(first) + days(passed)
        qualified = registered + days(2 * chance.random()) if chance.random() < 0.95 else None
        closed = (qualified or registered) + days(chance.triangular(12, 30, 18))
        amount = _DEAL_USD * chance.lognormvariate(0, 0.18) / partner.usd_per_unit
        odd, lag = chance.random(), days(0.05 + 0.8 * chance.random())
        if odd < 0.04:
            outcome = "cancelled" if odd < 0.03 else "duplicate"
        else:
            share += _WIN_RATE
            outcome = "won" if share >= 1 else "lost"
            share %= 1
        fate, deal = fates.random(), f"{partner.partner_id}-deal-{number:05}"
        given_up = outcome == "cancelled"
        # Some of those that come to nothing are never closed; others were the vendor's own all along.
        never = given_up and fate < 0.3
        origin = "influenced" if given_up and fate > 0.7 else "vendor" if fate < _VENDORS else "partner"
        rows.add(
            "opportunity",
            deal,
            partner.partner_id,
            origin,
            registered,
            qualified,
            (qualified or registered) if never else closed,
            None if never else closed,
            None if never else closed + lag,
            None if never else outcome,
            money(amount),
            partner.currency,
            registered + timedelta(hours=1),
        )
        if qualified and outcome == "won":
            _won(rows, deal, qualified, closed, reopened=fate > 1 - _REOPENED)
        number += 1
        passed += gap * (0.7 + 0.6 * chance.random())


def _won(rows: Rows, deal: str, qualified: datetime, closed: datetime, *, reopened: bool) -> None:
    """The proposal that it was won by; a few had been lost on the way to it, and were opened again."""
    proposal = qualified + (closed - qualified) * 0.8
    rows.add("opportunity_stage", f"{deal}-proposal", deal, "proposal", proposal, proposal + timedelta(hours=1))
    if reopened:
        lost = qualified + (closed - qualified) * 0.4
        again = lost + timedelta(days=1)
        known = timedelta(hours=2)
        rows.add("opportunity_reopening", f"{deal}-reopened", deal, lost, "lost", again, again + known, lost + known)


def add_rates_and_runs(rows: Rows, spec: WorldSpec) -> None:
    """Rates of currencies, and the runs that close each month's rebates."""
    _rates(spec, rows)
    for month in months_between(spec.start, spec.end):
        closed = midnight(add_months(month, 1)) + timedelta(days=9, hours=18)
        rows.add("rebate_run", f"rebates-{month:%Y-%m}", month, closed, closed)


def _rates(spec: WorldSpec, rows: Rows) -> None:
    """Each month's rate is fixed a day before it begins; it wanders by about a percent a month."""
    months = months_between(add_months(spec.start, -6), add_months(spec.end, 6))
    for currency, start in USD_PER_UNIT.items():
        chance, rate = spec.chance("rate", currency), start
        for month in months if currency != HOME else ():
            known = midnight(month) - timedelta(days=1)
            rows.add("fx_rate", currency, HOME, month, Decimal(f"{rate:.6f}"), f"{currency}-{month:%Y-%m}", known)
            rate *= 1 + chance.uniform(-0.012, 0.012)


def add_sales(rows: Rows, spec: WorldSpec, partner: WorldPartner) -> dict[date, float]:
    """Sales, returns, their cost, and the monthly rebates; by month what was sold, in the partner's currency."""
    if not spec.sales:
        return {}
    chance, fates = spec.chance(partner.partner_id, "sales"), spec.chance(partner.partner_id, "sales", "fate")
    product_share = chance.gauss(_PRODUCT_SHARE, _PRODUCT_SPREAD)
    first, last = partner.active_days(spec.start, spec.end)
    gap = 28 / (spec.sales * partner.volume)
    passed, number = chance.random() * gap, 0
    by_month: defaultdict[date, float] = defaultdict(float)
    while passed < (last - first).days:
        day = first + timedelta(days=int(passed))
        list_amount = _SALE_USD * chance.lognormvariate(0, 0.5) / partner.usd_per_unit
        net = list_amount * (1 - chance.uniform(0.05, 0.15))
        product = net * min(max(chance.gauss(product_share, 0.03), 0.5), 0.85)
        freight = net * chance.uniform(0.015, 0.035)
        luck, hours = chance.random(), 26 + 6 * chance.random()
        if luck < _LATE_BOOKED:
            hours += 24 * (2 + 3 * chance.random())
        known = midnight(day) + timedelta(seconds=int(hours * 3600))
        sale, fate = f"{partner.partner_id}-sale-{number:05}", fates.random()
        credit = _Credit.drawn(fate)
        _book(rows, partner, sale, day, (list_amount, net, product, freight), known, credit)
        by_month[day.replace(day=1)] += net * float(credit.share) * (credit.attribution == "sourced")
        if fate > 1 - _CREDITED:
            later = day + timedelta(days=12)
            says = ("credit", None, money(-0.03 * net))
            _line(rows, partner, f"{sale}-credit", later, says, midnight(later) + days(1.2), credit, sale)
        if chance.random() < _RETURNED:
            back = day + timedelta(days=chance.randint(5, 30))
            # Goods come back worth most of their cost; the freight is lost.
            taken_back = (-list_amount, -net, -0.9 * product, 0.0)
            _book(rows, partner, f"{sale}-return", back, taken_back, midnight(back) + days(1.2), credit, sale)
        number += 1
        passed += gap * (0.4 + 1.2 * chance.random())
    for month, net in by_month.items():
        _monthly(rows, partner, month, net)
    return by_month


class _Credit(NamedTuple):
    """How much of a line is this partner's; the rest is the vendor's own."""

    share: Decimal
    attribution: str

    @staticmethod
    def drawn(fate: float) -> _Credit:
        return _Credit(
            _SHARE if fate < _SHARED else Decimal(1), "influenced" if _SHARED <= fate < _INFLUENCED else "sourced"
        )


def _book(
    rows: Rows,
    partner: WorldPartner,
    source_id: str,
    day: date,
    amounts: tuple[float, float, float, float],
    known: datetime,
    credit: _Credit,
    original: str | None = None,
) -> None:
    """A revenue line with its product cost and freight; amounts are list, net, product and freight."""
    list_amount, net, product, freight = (money(amount) for amount in amounts)
    kind = "return" if original else "sale"
    _line(rows, partner, source_id, day, (kind, list_amount, net), known, credit, original)
    for cost, amount in (("product", product), ("freight", freight)):
        if amount:
            rows.add(
                "partner_cost",
                *(f"{source_id}-{cost}", partner.partner_id, source_id, *credit, cost, amount, partner.currency),
                *(day, None, known),
            )


def _line(
    rows: Rows,
    partner: WorldPartner,
    source_id: str,
    day: date,
    says: tuple[str, Decimal | None, Decimal],
    known: datetime,
    credit: _Credit,
    original: str | None,
) -> None:
    """A revenue line: its kind, list value and net amount."""
    kind, listed, net = says
    rows.add(
        "partner_transaction",
        *(source_id, source_id, partner.partner_id, *credit, kind, day, listed),
        *(None if listed is None else listed - net, net, partner.currency, original, known),
    )


def _monthly(rows: Rows, partner: WorldPartner, month: date, net: float) -> None:
    """What a month costs beside its lines: rebates, booked in the next one, commission; by quarter SPIFFs, support."""
    booked = add_months(month, 1) + timedelta(days=9)
    ended = add_months(month, 1) - timedelta(days=1)
    costs = [("rebate", _REBATE_SHARE, booked), ("commission", 0.002, ended)]
    if month.month % 3 == 0:
        costs += [("spiff", 0.003, ended), ("support", 0.003, ended)]
    for kind, share, day in costs:
        rows.add(
            "partner_cost",
            *(f"{partner.partner_id}-{kind}-{month:%Y-%m}", partner.partner_id, None, Decimal(1), "sourced", kind),
            *(money(net * share), partner.currency, day, month if kind == "rebate" else None),
            midnight(booked) + timedelta(hours=18),
        )
