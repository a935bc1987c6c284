"""Small made-up worlds, most of whose facts lie where windows, months and certificates begin and end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st

from models.evidence import Window
from tests.store.plainly.book import Book

Fact = dict[str, Any]
PARTNERS = ("p", "q", "r")
GROUPS = (PARTNERS, ("p",), ("q", "r"), ("nobody",))

_FROM = datetime(2025, 12, 31, tzinfo=UTC)
DAYS = tuple((_FROM + timedelta(days=n)).date() for n in (0, 1, 2, 15, 31, 32, 59, 60, 61, 90, 91, 92, 100))
_HOURS = (timedelta(), timedelta(hours=12), timedelta(hours=24, microseconds=-1))
MOMENTS = tuple(datetime(day.year, day.month, day.day, tzinfo=UTC) + hour for day in DAYS for hour in _HOURS)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

_SPANS = (
    ("2026-01-01T00:00Z", "2026-04-01T00:00Z"),
    ("2026-01-15T00:00Z", "2026-03-01T00:00Z"),
    ("2025-12-31T12:00Z", "2026-03-31T12:00Z"),
    ("2026-02-01T00:00Z", "2026-02-02T00:00Z"),
)
WINDOWS = tuple(Window(start=datetime.fromisoformat(a), end=datetime.fromisoformat(b)) for a, b in _SPANS)
_LATER = datetime(2026, 7, 1, tzinfo=UTC)
asked_at = st.one_of(st.just(_LATER), st.sampled_from(MOMENTS[len(MOMENTS) // 2 :]), st.sampled_from(MOMENTS))

moments = st.sampled_from(MOMENTS)
days = st.sampled_from(DAYS)
known = st.one_of(st.just(LONG_AGO), st.just(LONG_AGO), st.just(LONG_AGO), moments)
of_partner = st.sampled_from(PARTNERS)
currencies = st.sampled_from(("USD",) * 6 + ("EUR",) * 3 + ("JPY",))
amounts = st.sampled_from(("0", "1", "33.3333", "100", "250.5"))
shares = st.sampled_from(("1", "1", "1", "0.5", "0.25", "0.33333333", "0"))


def perhaps(strategy: st.SearchStrategy[Any], often: int = 1) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), *[strategy] * often)


@st.composite
def _versions(draw: st.DrawFn, fact: st.SearchStrategy[Fact], keep: tuple[str, ...]) -> list[Fact]:
    """A fact and up to two corrections of it, each known later than the one before; `keep` is never corrected."""
    first = {**draw(fact), "known_at": draw(known), "amended_at": None}
    versions = [first]
    for since in sorted(draw(st.sets(moments, max_size=2))):
        if since > first["known_at"] and draw(st.booleans()):
            row = {**draw(fact), **{name: first[name] for name in ("known_at", *keep)}, "amended_at": since}
            versions.append(row)
    return versions


def _later(name: str, than: str, row: Fact) -> Fact:
    """What would end before it begins does not end."""
    return row if None in (row[name], row[than]) or row[name] > row[than] else {**row, name: None}


def _known_if(row: Fact, moment: str, *others: str) -> Fact:
    """Nobody knows when what has not happened became known."""
    return row if row[moment] is not None else {**row, **dict.fromkeys(others)}


_sale = st.fixed_dictionaries(
    {
        "partner_id": of_partner,
        "transaction_id": st.sampled_from(("t1", "t2", "t3", "t4")),
        "attribution": st.sampled_from(("sourced", "sourced", "sourced", "influenced")),
        "kind": st.sampled_from(("sale", "sale", "return", "credit")),
        "transaction_date": days,
        "net_amount": amounts,
        "credit_share": shares,
        "currency": currencies,
    }
).map(lambda row: row if row["kind"] == "sale" else {**row, "net_amount": f"-{row['net_amount']}"})
_cost = st.fixed_dictionaries(
    {
        "partner_id": of_partner,
        "attribution": st.sampled_from(("sourced", "sourced", "sourced", "influenced")),
        "kind": st.sampled_from(("product", "freight", "commission", "rebate", "rebate", "spiff", "support")),
        "amount": st.sampled_from(("0", "1", "20", "-5", "33.3333")),
        "credit_share": shares,
        "currency": currencies,
        "recognised_on": days,
        "earned_period": days.map(lambda day: day.replace(day=1)),
    }
)
_paid = st.fixed_dictionaries(
    {
        "partner_id": of_partner,
        "claimed_amount": amounts,
        "paid_amount": amounts,
        "currency": currencies,
        "submitted_at": moments,
        "paid_at": perhaps(moments, 3),
        "paid_known_at": perhaps(moments),
    }
).map(lambda row: _known_if(row, "paid_at", "paid_known_at", "paid_amount"))
_rate = st.fixed_dictionaries(
    {
        "currency": st.just("EUR"),
        "reporting_currency": st.just("USD"),
        "rate": st.sampled_from(("1.5", "0.7", "1.1111")),
    }
)
_budget = st.fixed_dictionaries(
    {
        "fund_type": st.sampled_from(("discretionary", "discretionary", "accrual")),
        "period_start": days,
        "period_end": st.sampled_from((1, 28, 60, 62, 90)).map(lambda lasts: timedelta(days=lasts)),
        "claim_deadline": perhaps(days, 3),
    }
).map(lambda row: {**row, "period_end": row["period_start"] + row["period_end"]})
_allotted = st.fixed_dictionaries(
    {
        "budget_id": st.sampled_from(("mdf_budget-0", "mdf_budget-0", "mdf_budget-1", "mdf_budget-2")),
        "partner_id": of_partner,
        "amount": amounts,
        "currency": currencies,
    }
)
_decided = {
    "approved_amount": amounts,
    "currency": currencies,
    "submitted_at": moments,
    "decision": st.sampled_from(("approved", "approved", "approved", "rejected", None)),
    "decided_at": moments,
    "decided_known_at": perhaps(moments),
}


def _undecided_if(row: Fact) -> Fact:
    """Who has not approved has said no amount, and who has not decided has not done so at any moment."""
    row = row if row["decision"] == "approved" else {**row, "approved_amount": None}
    return row if row["decision"] is not None else {**row, "decided_at": None, "decided_known_at": None}


def _asked(funds: dict[str, Fact]) -> st.SearchStrategy[Fact]:
    """A request, mostly of the partner whose allocation it is to be taken from."""

    def of_fund(fund: str | None) -> st.SearchStrategy[Fact]:
        mostly = (funds[fund]["partner_id"],) * 6 if fund is not None else ()
        return st.fixed_dictionaries(
            {
                **_decided,
                "allocation_id": st.just(fund),
                "partner_id": st.sampled_from((*mostly, *PARTNERS)),
                "requested_amount": amounts,
                "copay_share": st.sampled_from(("0", "0", "0.5", "0.3")),
                "released_at": perhaps(moments),
                "released_known_at": perhaps(moments, 3),
            }
        ).map(lambda row: _known_if(_undecided_if(row), "released_at", "released_known_at"))

    return perhaps(st.sampled_from(sorted(funds)), 5).flatmap(of_fund)


def _claimed(requests: dict[str, Fact]) -> st.SearchStrategy[Fact]:
    """A claim, mostly by the partner whose request it stands against, and in its currency."""

    def on_request(request: str | None) -> st.SearchStrategy[Fact]:
        mostly = (requests[request]["partner_id"],) * 6 if request is not None else ()
        likely = (st.just(requests[request]["currency"]),) * 2 if request is not None else ()
        return st.fixed_dictionaries(
            {
                **_decided,
                "request_id": st.just(request),
                "partner_id": st.sampled_from((*mostly, *PARTNERS)),
                "currency": st.one_of(currencies, *likely),
                "claimed_amount": amounts,
                "paid_amount": amounts,
                "paid_at": perhaps(moments),
                "paid_known_at": perhaps(moments),
                "withdrawn_at": st.one_of(st.none(), st.none(), moments),
                "withdrawn_known_at": perhaps(moments),
                "late_waived_by": st.sampled_from((None, None, "finance")),
                "settles_request": st.booleans(),
                "invoice_ref": st.sampled_from((None, None, "INV-1", "inv-1", "INV-2", "INV-3")),
            }
        ).map(_paid_if)

    return perhaps(st.sampled_from(sorted(requests)), 5).flatmap(on_request)


def _paid_if(row: Fact) -> Fact:
    """What is paid cannot be taken back any more."""
    row = _known_if(_undecided_if(row), "paid_at", "paid_known_at", "paid_amount")
    row = row if row["paid_at"] is None else {**row, "withdrawn_at": None}
    return _known_if(row, "withdrawn_at", "withdrawn_known_at")


_deal = st.fixed_dictionaries(
    {
        "partner_id": of_partner,
        "origin": st.sampled_from(("partner", "partner", "vendor", "influenced")),
        "qualified_at": perhaps(moments, 4),
        "closed_at": perhaps(moments, 3),
        "closed_known_at": perhaps(moments),
        "outcome": st.sampled_from(("won", "won", "won", "lost", "lost", "cancelled", "duplicate")),
        "amount": amounts,
        "currency": currencies,
    }
).map(lambda row: _known_if(row, "closed_at", "closed_known_at", "outcome"))


def _undone(number: int) -> st.SearchStrategy[Fact]:
    return st.fixed_dictionaries(
        {
            "opportunity_id": st.just(f"d{number}"),
            "closed_at": moments,
            "closed_known_at": perhaps(moments),
            "outcome": st.sampled_from(("won", "lost", "cancelled")),
            "amount": amounts,
            "reopened_at": moments,
            "reopened_known_at": perhaps(moments),
        }
    ).filter(lambda row: row["reopened_at"] >= row["closed_at"])


def _check(name: str, version: int) -> st.SearchStrategy[Fact]:
    return st.fixed_dictionaries(
        {
            "check_id": st.just(name),
            "version": st.just(version),
            "severity": st.just("high"),
            "weight": st.sampled_from(("10", "7", "4", "2", "0.5")),
            "critical": st.booleans(),
            "validity_days": st.sampled_from((None, None, 1, 30)),
            "grace_days": st.sampled_from((0, 0, 1, 30)),
            "types": st.sampled_from((None, None, ["reseller"], ["msp", "var"])),
            "tiers": st.sampled_from((None, None, None, ["gold"])),
            "regions": st.sampled_from((None, None, None, ["emea"])),
            "effective_from": st.one_of(st.just(date(2020, 1, 1)), days) if version == 1 else days,
            "retired_on": st.one_of(st.none(), st.none(), st.none(), days),
        }
    ).map(partial(_later, "retired_on", "effective_from"))


_result = st.fixed_dictionaries(
    {
        "partner_id": of_partner,
        "check_id": st.sampled_from(("c1", "c2")),
        "version": st.sampled_from((1, 1, 2)),
        "outcome": st.sampled_from(("pass", "pass", "fail", "partial", "not_applicable", "inconclusive")),
        "value": st.sampled_from(("0", "0.5", "1")),
        "assessed_at": moments,
        "valid_until": st.one_of(st.none(), st.none(), days),
    }
).map(lambda row: row if row["outcome"] == "partial" else {**row, "value": None})
_waiver = st.fixed_dictionaries(
    {
        "partner_id": of_partner,
        "check_id": st.sampled_from(("c1", "c2")),
        "approved_by": st.just("legal"),
        "reason": st.just("moving"),
        "valid_from": days,
        "valid_until": days,
        "revoked_at": perhaps(moments),
        "revoked_known_at": perhaps(moments),
    }
).map(
    lambda row: _known_if(
        {**row, "valid_until": max(row["valid_until"], row["valid_from"])}, "revoked_at", "revoked_known_at"
    )
)
_partner = st.fixed_dictionaries(
    {
        "type": st.sampled_from(("reseller", "reseller", "msp")),
        "tier": st.sampled_from((None, "gold")),
        "region": st.sampled_from((None, "emea")),
        "active_from": st.one_of(st.none(), st.none(), days),
        "active_to": st.one_of(st.none(), st.none(), days),
    }
).map(partial(_later, "active_to", "active_from"))


def _said(fact: st.SearchStrategy[Fact], **says: Any) -> st.SearchStrategy[Fact]:
    """The fact, which says this whatever else it says."""
    return fact.map(lambda row: {**row, **says})


def _partners(draw: st.DrawFn, book: Book) -> None:
    for name in PARTNERS:
        book.tell("partner", name, draw(_versions(_said(_partner, partner_id=name), ())))


def _rates(draw: st.DrawFn, book: Book) -> None:
    for number, month in enumerate(sorted({day.replace(day=1) for day in DAYS})):
        if draw(st.integers(0, 4)):
            book.tell("fx_rate", f"rate-{number}", draw(_versions(_said(_rate, month=month), ())))


def _tell(draw: st.DrawFn, book: Book, table: str, fact: st.SearchStrategy[Any], most: int, *keep: str) -> None:
    for number in range(draw(st.integers(most // 2, most))):
        book.tell(table, f"{table}-{number}", draw(_versions(fact, keep)))


@st.composite
def money(draw: st.DrawFn) -> Book:
    """Sales, costs, claims and rates."""
    book = Book()
    _partners(draw, book)
    taken: set[tuple[str, str]] = set()
    for number in range(draw(st.integers(3, 8))):
        versions = draw(_versions(_sale, ("transaction_id", "partner_id")))
        key = versions[0]["transaction_id"], versions[0]["partner_id"]
        if key not in taken:
            taken.add(key)
            book.tell("partner_transaction", f"sale-{number}", versions)
    _tell(draw, book, "partner_cost", _cost, 8)
    _tell(draw, book, "mdf_claim", _paid, 8)
    _rates(draw, book)
    return book


@st.composite
def deals(draw: st.DrawFn) -> Book:
    """Deals, some closed before, and rates."""
    book = Book()
    _partners(draw, book)
    for number in range(draw(st.integers(3, 7))):
        book.tell("opportunity", f"d{number}", draw(_versions(_deal, ())))
        for again in range(draw(st.sampled_from((0, 0, 1, 2)))):
            book.tell("opportunity_reopening", f"u{number}-{again}", draw(_versions(_undone(number), ())))
    _rates(draw, book)
    return book


@st.composite
def checks(draw: st.DrawFn) -> Book:
    """Checks in two versions, results and waivers."""
    book = Book()
    _partners(draw, book)
    for name in ("c1", "c2"):
        for version in (1, 2):
            book.tell("compliance_check", f"{name}-{version}", draw(_versions(_check(name, version), ())))
    _tell(draw, book, "compliance_result", _result, 12)
    _tell(draw, book, "compliance_waiver", _waiver, 4)
    return book


@st.composite
def funds(draw: st.DrawFn) -> Book:
    """Budgets, what partners are allotted of them, ask for and claim, and rates."""
    book = Book()
    _partners(draw, book)
    _rates(draw, book)
    for number in range(3):
        book.tell("mdf_budget", f"mdf_budget-{number}", draw(_versions(_budget, ())))
    _tell(draw, book, "mdf_allocation", _allotted, 4)
    _tell(draw, book, "mdf_request", _asked(_at_first(book, "mdf_allocation")), 6)
    _tell(draw, book, "mdf_claim", _claimed(_at_first(book, "mdf_request")), 10)
    return book


def _at_first(book: Book, table: str) -> dict[str, Fact]:
    """What each of these said when it was first known."""
    return {name: versions[0] for facts, name, versions in book if facts == table}
