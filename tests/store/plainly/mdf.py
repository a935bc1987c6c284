"""MDF spend: what partners have had, are owed and were promised, against what was planned for them by then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction

from models.evidence import Window
from tests.store.plainly.book import HUNDRED, Book, Parts, Row, happened, in_days, midnight, month_of

OLD_ENOUGH = Fraction(1, 4)


def approved(row: Row, as_of: datetime) -> bool:
    return bool(row["decision"] == "approved" and happened(row["decided_at"], row["decided_known_at"], as_of))


def void(claim: Row, as_of: datetime) -> bool:
    """It was rejected or taken back."""
    rejected = claim["decision"] == "rejected" and happened(claim["decided_at"], claim["decided_known_at"], as_of)
    return rejected or happened(claim["withdrawn_at"], claim["withdrawn_known_at"], as_of)


@dataclass
class Claim:
    """What one claim comes to in dollars; where no rate is known, nothing of it is added."""

    said: Row
    paid: Fraction = Fraction()
    owed: Fraction = Fraction()
    is_paid: bool = False
    is_owed: bool = False
    in_window: bool = False
    lacks_rate: bool = False
    duplicate: bool = False
    overpaid: bool = False
    late: bool = False


@dataclass
class Commitment:
    """What one request, or a claim that none stands behind, takes: `fund` is whose allocation it is taken from."""

    partner: str
    fund: str | None
    paid: Fraction = Fraction()
    paid_in_window: Fraction = Fraction()
    owed: Fraction = Fraction()
    reserved: Fraction = Fraction()

    @property
    def taken(self) -> Fraction:
        return self.paid + self.owed + self.reserved


@dataclass
class Ledger:
    """Everybody's requests and claims as they were known at a moment."""

    book: Book
    window: Window
    as_of: datetime
    claims: dict[str, Claim] = field(default_factory=dict)

    def __post_init__(self) -> None:
        budgets = self.book.as_of("mdf_budget", self.as_of)
        # An allocation of a budget that nobody knows has no period: it is none yet.
        self.funds = {
            name: (row, budgets[row["budget_id"]])
            for name, row in self.book.as_of("mdf_allocation", self.as_of).items()
            if row["budget_id"] in budgets
        }
        self.requests = self.book.as_of("mdf_request", self.as_of)
        seen = {
            name: row
            for name, row in self.book.as_of("mdf_claim", self.as_of).items()
            if row["submitted_at"] <= self.as_of
        }
        for name, row in seen.items():
            self.claims[name] = self._looked_at(name, row, seen)

    def rate(self, currency: str, at: datetime) -> Fraction | None:
        return self.book.rate(currency, month_of(at), self.as_of)

    def closes(self, request: Row) -> datetime | None:
        """From when on claims come too late: the day after the last one they may be handed in on."""
        if request["allocation_id"] not in self.funds:
            return None
        last: date | None = self.funds[request["allocation_id"]][1]["claim_deadline"]
        return midnight(last + timedelta(days=1)) if last is not None else None

    def stands(self, request_id: str | None, partner: str) -> bool:
        """The partner's own request, and approved by now."""
        request = self.requests.get(request_id or "")
        return request is not None and request["partner_id"] == partner and approved(request, self.as_of)

    def _looked_at(self, name: str, row: Row, seen: dict[str, Row]) -> Claim:
        request = self.requests.get(row["request_id"] or "")
        claim = Claim(row, is_paid=happened(row["paid_at"], row["paid_known_at"], self.as_of))
        given_up = void(row, self.as_of)
        granted = approved(row, self.as_of) and not given_up
        claim.duplicate = not given_up and any(
            other["invoice_ref"].lower() == row["invoice_ref"].lower()
            and not void(other, self.as_of)
            and (other["submitted_at"], before) < (row["submitted_at"], name)
            for before, other in seen.items()
            if other["invoice_ref"] is not None and row["invoice_ref"] is not None
        )
        claim.is_owed = granted and not claim.is_paid and not claim.duplicate
        # Co-pay first, then the lower of claim and approval.
        due = Fraction(row["claimed_amount"]) * (1 - Fraction(request["copay_share"] if request else 0))
        if approved(row, self.as_of):
            due = min(due, Fraction(row["approved_amount"]))
        rate: Fraction | None = None
        if claim.is_paid or granted:
            rate = self.rate(row["currency"], row["paid_at"] if claim.is_paid else row["decided_at"])
            claim.lacks_rate = rate is None
            closes = self.closes(request) if request else None
            claim.late = closes is not None and row["submitted_at"] >= closes and row["late_waived_by"] is None
        if claim.is_paid:
            claim.paid = Fraction(row["paid_amount"]) * (rate or 0)
            claim.in_window = self.window.start <= row["paid_at"] < self.window.end
            claim.overpaid = Fraction(row["paid_amount"]) > due
        elif claim.is_owed:
            claim.owed = due * (rate or 0)
        claim.said = {**row, "due": due}
        return claim

    def drawn(self, claim: Claim, request: Row) -> Fraction:
        """What a claim takes of the reservation, which is drawn at the rate it was made at."""
        if claim.said["currency"] != request["currency"]:
            return claim.paid + claim.owed
        amount = claim.said["paid_amount"] if claim.is_paid else claim.said["due"] if claim.is_owed else 0
        return Fraction(amount) * (self.rate(request["currency"], request["decided_at"]) or 0)

    def promised(self, name: str, request: Row) -> Commitment:
        """An approved request with the claims its partner has made on it."""
        partner = request["partner_id"]
        mine = [
            one for one in self.claims.values() if one.said["request_id"] == name and one.said["partner_id"] == partner
        ]
        found = Commitment(partner, request["allocation_id"])
        found.paid = sum((one.paid for one in mine), Fraction())
        found.paid_in_window = sum((one.paid for one in mine if one.in_window), Fraction())
        cap = Fraction(request["approved_amount"]) * (self.rate(request["currency"], request["decided_at"]) or 0)
        room = max(Fraction(), cap - sum(self.drawn(one, request) for one in mine if one.is_paid))
        wanted = sum((self.drawn(one, request) for one in mine if one.is_owed), Fraction())
        owed = sum((one.owed for one in mine), Fraction())
        # No more is owed than was promised.
        found.owed = owed if wanted <= room else owed * room / wanted
        closes = self.closes(request)
        back = happened(request["released_at"], request["released_known_at"], self.as_of) or any(
            one.said["settles_request"] and (one.is_paid or one.is_owed) for one in mine
        )
        left = Fraction() if back else max(Fraction(), room - wanted)
        if closes is not None and closes <= self.as_of:
            left = min(left, self.awaited(request, closes, mine, left))
        found.reserved = left
        return found

    def awaited(self, request: Row, closes: datetime, mine: Iterable[Claim], all_of_it: Fraction) -> Fraction:
        """What claims that came in time may still take; one in another currency, for all anybody knows, all of it."""
        rate = self.rate(request["currency"], request["decided_at"])
        return sum(
            (
                one.said["due"] * rate if rate and one.said["currency"] == request["currency"] else all_of_it
                for one in mine
                if one.said["submitted_at"] < closes and not (one.is_paid or one.is_owed or void(one.said, self.as_of))
            ),
            Fraction(),
        )

    def commitments(self) -> Iterable[Commitment]:
        for name, request in self.requests.items():
            if approved(request, self.as_of):
                yield self.promised(name, request)
        for claim in self.claims.values():
            partner, request_id = claim.said["partner_id"], claim.said["request_id"]
            if not self.stands(request_id, partner):
                fund = self.requests[request_id]["allocation_id"] if request_id in self.requests else None
                in_window = claim.paid if claim.in_window else Fraction()
                yield Commitment(partner, fund, claim.paid, in_window, claim.owed)


def mdf(book: Book, partners: Collection[str], window: Window, as_of: datetime) -> dict[str, Parts]:
    """By partner; who has no allocation in the window, no request approved and no claim is not among them."""
    found: dict[str, Parts] = defaultdict(lambda: defaultdict(Fraction))
    ledger = Ledger(book, window, as_of)
    taken: dict[str, list[Commitment]] = defaultdict(list)
    for one in ledger.commitments():
        if one.partner not in partners:
            continue
        parts = found[one.partner]
        parts["paid_in_window"] += one.paid_in_window
        if one.fund in ledger.funds and ledger.funds[one.fund][0]["partner_id"] == one.partner:
            taken[one.fund].append(one)
        elif amount := one.paid_in_window + one.owed + one.reserved:
            parts["unbudgeted"] += amount
            parts["facts"] += 1
    for name, (allocation, budget) in ledger.funds.items():
        begins, ends = midnight(budget["period_start"]), midnight(budget["period_end"])
        if allocation["partner_id"] not in partners or not (begins < min(window.end, as_of) and window.start < ends):
            continue
        parts = found[allocation["partner_id"]]
        rate = book.rate(allocation["currency"], month_of(begins), as_of)
        parts["missing_fx"] += rate is None
        amount = Fraction(allocation["amount"]) * (rate or 0)
        gone = min(Fraction(1), in_days(as_of - begins) / in_days(ends - begins))
        elapsed = Fraction(1) if budget["fund_type"] == "accrual" else gone
        inside = min(ends, window.end) - max(begins, window.start)
        parts["planned_in_window"] += amount * in_days(inside) / in_days(ends - begins)
        committed = sum((one.taken for one in taken[name]), Fraction())
        overspent = rate is not None and committed > amount
        parts["overspent_allocations"] += overspent
        if elapsed < OLD_ENOUGH and not overspent:
            parts["young_allocations"] += 1
            parts["young_committed"] += committed
            continue
        parts["facts"] += 1
        parts["allocations"] += 1
        parts["allocation"] += amount
        parts["plan_to_date"] += amount * elapsed
        parts["denominator"] += amount * elapsed
        parts["numerator"] += committed
        parts["paid"] += sum((one.paid for one in taken[name]), Fraction())
        parts["approved_unpaid"] += sum((one.owed for one in taken[name]), Fraction())
        parts["reserved"] += sum((one.reserved for one in taken[name]), Fraction())
    for request in ledger.requests.values():
        if request["partner_id"] in partners and approved(request, as_of):
            missing = ledger.rate(request["currency"], request["decided_at"]) is None
            found[request["partner_id"]]["missing_fx"] += missing
    for claim in ledger.claims.values():
        if claim.said["partner_id"] in partners:
            parts = found[claim.said["partner_id"]]
            parts["missing_fx"] += claim.lacks_rate
            parts["duplicate_invoices"] += claim.duplicate
            parts["overpaid_claims"] += claim.overpaid
            parts["late_claims"] += claim.late
    return dict(found)


def mdf_of(parts: Collection[Parts]) -> Fraction | None:
    """Of a group in percent; None where money was spent that nobody allotted, a rate lacks, or there is no plan."""
    plan = sum(one["plan_to_date"] for one in parts)
    if plan <= 0 or any(one["unbudgeted"] or one["missing_fx"] for one in parts):
        return None
    return HUNDRED * sum((one["numerator"] for one in parts), Fraction()) / plan
