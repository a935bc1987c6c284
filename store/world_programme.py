"""Market development funds, enablement and compliance of a synthetic world."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from random import Random
from typing import Final, NamedTuple

from store.world_rows import Rows
from store.world_sales import expected_quarterly_usd
from store.world_spec import WorldPartner, WorldSpec, add_months, days, midnight, money, months_between

_FUND_SHARE: Final = 0.014  # of expected sales: what discretionary funds usually are
_REQUESTS: Final = 13  # weekly call-offs, so that spend follows its plan
COPAY: Final = Decimal("0.5")
_CLAIM_DAYS: Final = 45
_REJECTED, _UNCLAIMED = 0.03, 0.02
_TURNED_DOWN, _TAKEN_BACK, _HANDED_IN_LATE, _IN_PART = (
    0.01,
    0.015,
    0.02,
    0.05,
)  # a claim's fate up to each, but the last
_RELEASED: Final = ("cancelled", "expired", "withdrawn")
DESK: Final = "mdf-desk@vendor.example"
ACTIVITIES: Final = ("webinar", "trade fair", "search advertising", "customer event", "mailing")


class Fund(NamedTuple):
    """A quarter's fund."""

    budget: str
    start: date
    end: date
    known: datetime

    @property
    def claims_until(self) -> date:
        """The last day on which a claim comes in time."""
        return self.end + timedelta(days=_CLAIM_DAYS)

    def allots(self, spec: WorldSpec, partner: WorldPartner) -> Decimal:
        """What a partner may spend of it; nothing unless it is a partner for the whole quarter."""
        if partner.active_from > self.start or (partner.active_to or self.end) < self.end:
            return Decimal(0)
        return money(round(expected_quarterly_usd(spec) * partner.volume * _FUND_SHARE, -1))


def funds_of(spec: WorldSpec) -> list[Fund]:
    """The quarters of the world."""
    quarters = [month for month in months_between(spec.start, spec.end) if month.month % 3 == 1]
    return [
        Fund(
            f"mdf-{start.year}-q{start.month // 3 + 1}",
            start,
            add_months(start, 3),
            midnight(start) - timedelta(days=14),
        )
        for start in quarters
    ]


def add_budgets(rows: Rows, spec: WorldSpec, partners: Iterable[WorldPartner]) -> None:
    """Quarterly budgets: what all partners are allotted together."""
    funds = funds_of(spec)
    totals = [Decimal(0)] * len(funds)
    for partner in partners:
        totals = [total + fund.allots(spec, partner) for total, fund in zip(totals, funds, strict=True)]
    for fund, total in zip(funds, totals, strict=True):
        dates = (fund.start, fund.end, fund.claims_until)
        rows.add("mdf_budget", fund.budget, "discretionary", *dates, total, "USD", fund.budget, fund.known)


def add_mdf(rows: Rows, spec: WorldSpec, partner: WorldPartner) -> None:
    """A partner's allocations, requests through the quarter, claims after them."""
    for fund in funds_of(spec):
        if amount := fund.allots(spec, partner):
            allocation = f"{fund.budget}-{partner.partner_id}"
            rows.add(
                "mdf_allocation",
                *(allocation, fund.budget, partner.partner_id, amount, "USD", allocation, fund.known),
            )
            chances = spec.chance(partner.partner_id, fund.budget), spec.chance(partner.partner_id, fund.budget, "fate")
            _requests(chances, partner, allocation, float(amount), fund, rows)


def _requests(
    chances: tuple[Random, Random], partner: WorldPartner, allocation: str, amount: float, fund: Fund, rows: Rows
) -> None:
    chance, fates = chances
    step = (fund.end - fund.start).days / _REQUESTS
    for number in range(_REQUESTS):
        request = f"{allocation}-{number:02}"
        submitted = midnight(fund.start) + days(step * (number + 0.25 + 0.4 * chance.random()) - 0.8)
        decided = submitted + days(0.2 + 1.2 * chance.random())
        asked = money(amount / _REQUESTS * chance.uniform(0.88, 1.18))
        approved = chance.random() >= _REJECTED
        activity = (decided + days(3 + 10 * chance.random())).date()
        what, fate = chance.choice(ACTIVITIES), fates.random()
        claimed = approved and chance.random() >= _UNCLAIMED
        granted = money(0.8 * float(asked)) if fate > 1 - _IN_PART else asked
        # Of what nobody will claim, half is said to be free again; the rest is, once claims close.
        released = midnight(activity) + days(10) if approved and not claimed and fate < 0.5 else None
        rows.add(
            "mdf_request",
            *(request, allocation, partner.partner_id, what, asked, granted if approved else None),
            *("USD", COPAY, submitted, "approved" if approved else "rejected", decided, decided + days(0.3)),
            *(DESK, activity, activity + timedelta(days=2), released),
            *(released + days(0.3) if released else None, _RELEASED[int(6 * fate)] if released else None),
            *(request, submitted + days(0.05)),
        )
        if claimed:
            deadline = midnight(fund.claims_until)
            add_claim(chance, partner, request, granted, midnight(activity) + days(3), (fate, deadline), rows)


def add_claim(
    chance: Random,
    partner: WorldPartner,
    request: str,
    approved: Decimal,
    earliest: datetime,
    fate: tuple[float, datetime],
    rows: Rows,
) -> None:
    """The cost shown is twice our part, give or take; we pay half of it and never more than was approved.

    A few are rejected, taken back, or handed in after `fate`'s deadline, which somebody lets pass.
    """
    luck, deadline = fate
    submitted = earliest + days(2 + 10 * chance.random())
    late = _TAKEN_BACK <= luck < _HANDED_IN_LATE
    if late:
        submitted = max(submitted, deadline + days(1) + (submitted - earliest))
    decided = submitted + days(1 + 4 * chance.random())
    paid = decided + days(4 + 8 * chance.random())
    cost = money(2 * float(approved) * chance.uniform(0.93, 1.06))
    ours = min((cost * (1 - COPAY)).quantize(Decimal("0.01"), ROUND_DOWN), approved)
    told, gone = decided + days(0.3), decided if _TURNED_DOWN <= luck < _TAKEN_BACK else None
    rest: tuple[object, ...]
    name = (f"{request}-claim", request, partner.partner_id, cost)
    proof = (f"INV-{request}", f"proof/{request}", submitted + days(0.05))
    if gone:
        rest = (None, None, "USD", submitted, None, None, None, None, None, None, None, gone, told)
    elif luck < _TURNED_DOWN:
        rest = (None, None, "USD", submitted, "rejected", decided, told, DESK, None, None, None, None, None)
    else:
        waiver = "finance@vendor.example" if late else None
        money_out = (paid, paid + days(0.5), None, None)
        rest = (ours, ours, "USD", submitted, "approved", decided, told, DESK, waiver, *money_out)
    rows.add("mdf_claim", *name, *rest, *proof)


_PEOPLE: Final = {"platinum": 7, "gold": 6, "silver": 5, "bronze": 4}
_ROLES: Final = ("sales", "technical", "marketing")
_YEARLY_COURSES: Final = ("sales-essentials", "technical-essentials", "code-of-conduct")
_ON_TIME, _LATE = 0.87, 0.07
_WAIVED: Final = 0.01
_VALID: Final = 400
_LEAVING, _MOVED, _WITHDRAWN, _PRIOR = 0.03, 0.1, 0.05, 0.01


def add_enablement(rows: Rows, spec: WorldSpec, partner: WorldPartner) -> None:
    """People with three yearly courses each, renewed before they lapse, and a product update every quarter."""
    for number in range(_PEOPLE[partner.tier]):
        person = f"{partner.partner_id}-person-{number}"
        chance, known = spec.chance(person), midnight(partner.active_from)
        fates = spec.chance(person, "fate")
        role = _ROLES[number % len(_ROLES)]
        first, last = partner.active_days(add_months(spec.start, -12), spec.end)
        left = first + (last - first) * fates.random() if fates.random() < _LEAVING else None
        rows.add("person", person, partner.partner_id, role, partner.active_from, left, person, known)
        last = left or last
        for course in _YEARLY_COURSES:
            day = first + timedelta(days=chance.randint(0, 300))
            while day < last:
                _assignment((chance, fates), partner, person, course, day, _VALID, rows)
                day += timedelta(days=345)
        for quarter in [one for one in months_between(first, last) if one.month % 3 == 1]:
            day = max(quarter, first) + timedelta(days=chance.randint(0, 60))
            if day < last:
                _assignment((chance, fates), partner, person, _update(quarter), day, None, rows)


def add_courses(rows: Rows, spec: WorldSpec) -> None:
    """The yearly courses, whose certificates last for some months more, and an update for each quarter."""
    begin = add_months(spec.start, -24)
    yearly = [(course, _VALID, begin) for course in _YEARLY_COURSES]
    quarters = [month for month in months_between(begin, spec.end) if month.month % 3 == 1]
    for course, valid, start in [*yearly, *((_update(quarter), None, quarter) for quarter in quarters)]:
        title = course.replace("-", " ").capitalize()
        rows.add("enablement_course", course, 1, title, valid, start, course, midnight(start))


def _update(quarter: date) -> str:
    return f"product-update-{quarter:%Y-%m}"


def _assignment(
    chances: tuple[Random, Random],
    partner: WorldPartner,
    person: str,
    course: str,
    day: date,
    valid: int | None,
    rows: Rows,
) -> None:
    chance, fate = chances[0], chances[1].random()
    assigned = midnight(day) + timedelta(hours=8)
    due = day + timedelta(days=30)
    luck, delay, waived = chance.random(), chance.random(), chance.random() < _WAIVED
    completed: datetime | None = None
    if luck < _ON_TIME:
        completed = assigned + days(1 + 28 * delay)
    elif luck < _ON_TIME + _LATE:
        completed = midnight(due) + days(2 + 25 * delay)
    done = completed is not None
    waiver = assigned + days(10) if waived and not done else None
    passed = not done or chance.random() >= 0.01
    score = round((60 if passed else 20) + 39 * fate, 1) if done else None
    moved = midnight(due) - days(3) if not done and not waiver and fate < _MOVED else None
    gone = assigned + days(12) if not done and not waiver and fate > 1 - _WITHDRAWN else None
    rows.add(
        "enablement_assignment",
        *(f"{person}-{course}-{day}", partner.partner_id, person, course, 1, assigned),
        *(due + timedelta(days=14) if moved else due, due if moved else None, moved, moved, completed),
        *(completed + days(delay / 2) if completed else None, passed, score, done and fate < _PRIOR),
        *(day + timedelta(days=valid) if done and valid else None, "enablement@vendor.example" if waiver else None),
        *(waiver, waiver, gone, gone, assigned + timedelta(hours=1)),
    )


class _Check(NamedTuple):
    """A compliance check; `steady` ones never fail in a healthy world."""

    check_id: str
    title: str
    severity: str
    weight: int
    validity: int

    @property
    def steady(self) -> bool:
        return self.severity == "critical"


_CHECKS: Final = (
    _Check("agreement", "Signed agreement and code of conduct", "critical", 10, 365),
    _Check("screening", "Sanctions and denied-party screening", "critical", 10, 180),
    _Check("anti-bribery", "Anti-bribery due diligence", "high", 7, 365),
    _Check("data-protection", "Data protection terms", "high", 7, 365),
    _Check("insurance", "Liability insurance", "moderate", 4, 365),
    _Check("tax-forms", "Tax forms", "moderate", 4, 365),
    _Check("registration-conduct", "Deal registration conduct", "moderate", 4, 120),
    _Check("price-policy", "Brand and price policy", "low", 2, 180),
    _Check("mdf-proof", "Proof of performance for funds", "low", 2, 120),
)
STEADY: Final = frozenset(check.check_id for check in _CHECKS if check.steady)
_PASSES, _PARTIAL = 0.78, 0.17
_UNFIT, _UNSAID, _LET_PASS = 0.01, 0.02, 0.2


def add_checks(rows: Rows, spec: WorldSpec) -> None:
    """The nine checks."""
    effective = add_months(spec.start, -24)
    for check in _CHECKS:
        rows.add(
            "compliance_check",
            *(check.check_id, 1, check.title, check.severity, Decimal(check.weight), check.steady, check.validity),
            *(effective, check.check_id, midnight(effective)),
        )


def add_compliance(rows: Rows, spec: WorldSpec, partner: WorldPartner) -> None:
    """Every check, assessed again shortly before each result lapses; critical ones pass."""
    chances = spec.chance(partner.partner_id, "compliance"), spec.chance(partner.partner_id, "compliance", "fate")
    for check in _CHECKS:
        _results(spec, partner, check, chances, rows)


def _results(spec: WorldSpec, partner: WorldPartner, check: _Check, chances: tuple[Random, Random], rows: Rows) -> None:
    chance, fates = chances
    validity = timedelta(days=check.validity)
    start, last = partner.active_days(spec.start, spec.end)
    # Whoever was a partner before the world began holds results of any age; who joins is assessed in a month.
    established = partner.active_from < spec.start
    moment = (
        midnight(start) - validity * chance.random() if established else midnight(start) + days(30 * chance.random())
    )
    while moment < midnight(last):
        luck, value = chance.random(), round(chance.uniform(0.4, 0.8), 2)
        outcome = "pass" if check.steady or luck < _PASSES else "partial" if luck < _PASSES + _PARTIAL else "fail"
        fate = fates.random()
        if outcome == "pass" and not check.steady and fate < _UNSAID:
            outcome = "not_applicable" if fate < _UNFIT else "inconclusive"
        source_id = f"{partner.partner_id}-{check.check_id}-{moment:%Y%m%d}"
        rows.add(
            "compliance_result",
            *(source_id, partner.partner_id, check.check_id, 1, outcome),
            *(Decimal(str(value)) if outcome == "partial" else None, moment, (moment + validity).date()),
            *("assurance@vendor.example", f"evidence/{source_id}", moment + timedelta(hours=4)),
        )
        if outcome == "fail" and fate < _LET_PASS:
            _waive(rows, partner, check, source_id, moment, revoked=fate < 0.2 * _LET_PASS)
        # What failed or was not clear is looked at again soon; what passed shortly before it lapses.
        soon = outcome in ("fail", "inconclusive")
        moment += timedelta(days=45) if soon else validity * chance.uniform(0.85, 0.97)


def _waive(
    rows: Rows, partner: WorldPartner, check: _Check, source_id: str, failed: datetime, *, revoked: bool
) -> None:
    """A failure that is let pass until it is looked at again; a few of these are called back on the way."""
    begins, ends = failed + timedelta(days=3), failed + timedelta(days=44)
    called_back = failed + timedelta(days=20) if revoked else None
    rows.add(
        "compliance_waiver",
        *(f"{source_id}-waiver", partner.partner_id, check.check_id, "compliance@vendor.example", "repair agreed"),
        *(begins.date(), ends.date(), called_back, called_back, begins),
    )
