"""What a table asks of its rows is told in words, whatever table and whatever rule: people mend files by it."""

from __future__ import annotations

import re

import asyncpg
import pytest

from store.intake.kinds import KINDS, FactKind
from store.intake.rules import in_words
from store.intake.staging import _CONSTRAINTS
from tests.store.desk import Desk

NUMBERS = "((weight > (0)::numeric) AND (weight <= (1000000)::numeric))"
SIGNS = (
    "CASE kind WHEN 'sale'::text THEN ((net_amount)::numeric >= (0)::numeric)"
    " ELSE ((net_amount)::numeric <= (0)::numeric) END"
)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("((closed_at IS NULL) = (outcome IS NULL))", "closed_at and outcome, or neither"),
        ("((paid_at IS NOT NULL) OR (paid_known_at IS NULL))", "paid_known_at only where there is paid_at"),
        ("((withdrawn_at IS NULL) OR (paid_at IS NULL))", "withdrawn_at or paid_at, not both"),
        ("((kind <> 'rebate'::text) OR (earned_period IS NOT NULL))", "earned_period where kind is 'rebate'"),
        ("((outcome IS DISTINCT FROM 'won'::text) OR (amount IS NOT NULL))", "amount where outcome is 'won'"),
        (
            "((outcome = 'partial'::text) = (value IS NOT NULL))",
            "value where outcome is 'partial', and nowhere else",
        ),
        ("(reason <> ''::text)", "reason that is not empty"),
        ("(active_to > active_from)", "active_to > active_from"),
        ("(version > 0)", "version > 0"),
        ("((amount)::numeric >= (0)::numeric)", "amount >= 0"),
        ("((accept_within > 0) AND (accept_within <= 525600))", "accept_within > 0 and accept_within <= 525600"),
        (NUMBERS, "weight > 0 and weight <= 1000000"),
        ("((rate > (0)::numeric) AND (rate < 'Infinity'::numeric))", "rate > 0 and rate < 'Infinity'"),
        (SIGNS, "sales of 0 or more, returns and credits of 0 or less"),
        ("are_hours(VARIADIC monday)", "hours on at least one day, such as 09:00-17:30"),
        # However PostgreSQL breaks its lines.
        ("((closed_at IS NULL)\n  = (outcome IS NULL))", "closed_at and outcome, or neither"),
        # What none of these is stands as it is, but for the types: nothing is told that is not so.
        ("(length(name) > 3)", "(length(name) > 3)"),
        ("((a > 0) AND (b > 0) AND (c > 0))", "((a > 0) AND (b > 0) AND (c > 0))"),
        ("((a IS NULL) = (b IS NOT NULL))", "((a IS NULL) = (b IS NOT NULL))"),
        ("(NOT (version > 0))", "(NOT (version > 0))"),
        ("(tags <> '{}'::text[])", "(tags <> '{}')"),
        ("CASE kind WHEN 'return'::text THEN true END", "CASE kind WHEN 'return' THEN true END"),
    ],
)
def test_a_check_is_told_in_words(told: str, words: str) -> None:
    assert in_words(told) == words


async def test_no_check_of_any_kind_is_told_in_the_words_of_postgresql(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """But for lists of words, which the fields themselves know: no row with another word gets as far as the table."""
    seen = 0
    for spec in KINDS.values():
        for rule in await pool.fetch(_CONSTRAINTS, spec.table):
            if rule["type"] != "c":
                continue
            seen += 1
            words, columns = in_words(rule["expression"]), rule["columns"]
            listed = re.fullmatch(r"\((\w+) = ANY \(ARRAY\[(.*)\]\)\)", words)
            if listed is None:
                assert not re.search(r"::|[()]|\b(IS|NULL|NOT|CASE|OR|AND|ANY)\b", words), (spec.kind, words)
                assert "such as" in words or "sales" in words or all(name in words for name in columns), words
            else:
                assert columns == [listed[1]]
                assert set(spec.by_name[listed[1]].allowed) == {one.strip("'") for one in listed[2].split(", ")}
    assert seen > 60


_OF_P1 = "source_id: Id, partner_id: {constant: p1}"
ENDS = {
    FactKind.LEADS: (f"{_OF_P1}, assigned_at: From, contact_due_at: Until", "T09:00Z"),
    FactKind.MDF_BUDGETS: (
        "source_id: Id, period_start: From, claim_deadline: Until, period_end: {constant: 2025-12-31},"
        " amount: {constant: 9}, currency: {constant: USD}",
        "",
    ),
    FactKind.MDF_REQUESTS: (
        f"{_OF_P1}, activity_start: From, activity_end: Until, requested_amount: {{constant: 9}},"
        " currency: {constant: USD}, submitted_at: {constant: 2025-02-01T10:00Z}",
        "",
    ),
    FactKind.PEOPLE: (f"{_OF_P1}, active_from: From, active_to: Until", ""),
    FactKind.COMPLIANCE_CHECKS: (
        "source_id: Id, check_id: Id, version: {constant: 1}, severity: {constant: low}, weight: {constant: 2},"
        " effective_from: From, retired_on: Until",
        "",
    ),
}
"""By kind how a file gives a field that must not lie before another one, and what follows the day."""


def test_what_must_not_lie_before_another_is_of_its_type_and_is_tried_below() -> None:
    pairs = {
        kind: [(spec.by_name[one], spec.by_name[two]) for one, two in spec.ordered] for kind, spec in KINDS.items()
    }
    assert {kind for kind, found in pairs.items() if found} == set(ENDS)
    assert all(one.type is two.type for found in pairs.values() for one, two in found)


@pytest.mark.parametrize("kind", ENDS)
async def test_what_ends_before_it_begins_is_set_aside_with_both(desk: Desk, kind: FactKind) -> None:
    """The same day is none before, and where either is missing there is nothing to hold it against."""
    await desk.partners("p1")
    fields, clock = ENDS[kind]
    rows = [("a", "2025-02-10", "2025-02-10"), ("b", "2025-02-10", "2025-02-09"), ("c", "2025-02-10", "")]
    text = "".join(f"{name},{start}{clock},{end}{clock if end else ''}\n" for name, start, end in rows)
    made = f"kind: {kind.value}\nsource_system: crm\nfields: {{{fields}}}\n"
    report = await desk.load(made, "Id,From,Until\n" + text)
    assert (report.inserted, report.rejected) == (2, 1)
    moments = ("2025-02-09 09:00:00+00:00", "2025-02-10 09:00:00+00:00") if clock else ("2025-02-09", "2025-02-10")
    told = "line 3, Until, From: found {}, before {}; not allowed".format(*moments)
    assert report.first_reasons == (told,)
    # One that was taken and is put right wrongly stays as it was.
    again = await desk.load(made, f"Id,From,Until\na,2025-02-10{clock},2025-02-01{clock}\n")
    assert (again.updated, again.rejected) == (0, 1)


async def test_a_row_that_breaks_a_rule_is_set_aside_with_the_rule_in_words(desk: Desk) -> None:
    await desk.partners("p1")
    mapping = """\
kind: mdf-claims
source_system: fund
fields: {source_id: Id, partner_id: {constant: p1}, claimed_amount: Claimed, currency: {constant: USD},
         submitted_at: {constant: 2025-02-01T10:00Z}, paid_at: Paid, paid_amount: Amount, withdrawn_at: Withdrawn}
"""
    moment = "2025-02-02T10:00Z"
    rows = f"a,-1,,,\nb,1,{moment},,\nc,1,{moment},1,{moment}\nd,1,{moment},1,\n"
    report = await desk.load(mapping, "Id,Claimed,Paid,Amount,Withdrawn\n" + rows)
    assert report.kind is FactKind.MDF_CLAIMS
    assert report.inserted == 1
    assert report.first_reasons == (
        "line 2, Claimed: found claimed_amount '-1.0000'; allowed: claimed_amount >= 0",
        "line 3, Paid, Amount: found paid_at '2025-02-02 10:00:00+00', paid_amount empty;"
        " allowed: paid_at and paid_amount, or neither",
        "line 4, Withdrawn, Paid: found withdrawn_at '2025-02-02 10:00:00+00', paid_at '2025-02-02 10:00:00+00';"
        " allowed: withdrawn_at or paid_at, not both",
    )
