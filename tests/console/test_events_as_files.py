"""What a file must not say of a fact an event must not say either: every rule of every kind that both can bring.

A rule that is new stands here too, or the test that counts them fails; one that events answer otherwise says how.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from store.events import refusing
from store.events.folding import BASES
from store.intake.kinds import KINDS, FactKind, FieldSpec, FieldType
from store.intake.staging import _CONSTRAINTS
from tests.console.conftest import NOON, Sender, assigned, event, problem, refused

SALE: dict[str, Any] = {"kind": "sale", "transaction_date": "2026-03-01", "net_amount": 100, "currency": "EUR"}
COST: dict[str, Any] = {"kind": "rebate", "amount": 3, "recognised_on": "2026-03-01", "currency": "EUR"}
ASKED: dict[str, Any] = {"requested_amount": 9, "currency": "EUR"}
CLAIMED: dict[str, Any] = {"claimed_amount": 5, "currency": "EUR"}
RESULT: dict[str, Any] = {"check_id": "C1", "check_version": 1, "outcome": "pass"}
WAIVER: dict[str, Any] = {"check_id": "C1", "approved_by": "a", "reason": "b", "valid_from": "2026-03-02"}
COURSE: dict[str, Any] = {"person_id": "H1", "course_id": "c", "due_on": "2026-04-01"}

WHOLE: dict[FactKind, dict[str, Any]] = {
    FactKind.LEADS: {"class": "hot", "policy_version": "v", "created_at": NOON}
    | {"accept_due_at": NOON, "contact_due_at": NOON},
    FactKind.LEAD_PAUSES: {"lead_id": "L1", "reason": "customer"},
    FactKind.LEAD_EVENTS: {"lead_id": "L1", "kind": "attempted", "actor": "a", "note": "b"},
    FactKind.OPPORTUNITIES: {"currency": "EUR", "origin": "vendor", "amount": 10},
    FactKind.OPPORTUNITY_STAGES: {"opportunity_id": "D1", "stage": "demo"},
    FactKind.MDF_REQUESTS: ASKED
    | {"allocation_id": None, "activity": "a", "copay_share": 0.5, "activity_start": None, "activity_end": None},
    FactKind.MDF_CLAIMS: CLAIMED | {"request_id": "R1", "settles_request": False, "invoice_ref": "i", "proof_ref": "p"},
    FactKind.ENABLEMENT: COURSE | {"prior_credit": True, "course_version": 1},
    FactKind.COMPLIANCE_RESULTS: RESULT | {"value": None, "valid_until": None, "assessor": "a", "evidence_ref": "e"},
    FactKind.COMPLIANCE_WAIVERS: WAIVER | {"valid_until": "2026-03-02"},
    FactKind.TRANSACTIONS: SALE
    | {"transaction_id": "T", "credit_share": 1, "attribution": "sourced", "list_amount": 1, "discount_amount": 1}
    | {"tax_amount": 1, "original_id": "O", "recognised_on": "2026-03-01", "deal_id": "D"},
    FactKind.COSTS: COST
    | {"earned_period": "2026-02", "transaction_id": "T", "credit_share": 1, "attribution": "sourced"},
}
"""What the event that begins a fact may say, all of it."""

PARTNERLESS = (FactKind.LEAD_PAUSES, FactKind.LEAD_EVENTS, FactKind.OPPORTUNITY_STAGES)
LONG, UNSEEN, NUL = "x" * 201, "a\x1b[2Jb", "a\x00b"
BAD: dict[FieldType, list[Any]] = {
    FieldType.TEXT: ["", NUL],
    FieldType.MONEY: ["NaN", "1e400", 10**14, "1,5"],
    FieldType.NUMBER: ["NaN", -1, 10**7],
    FieldType.SHARE: [1.5, -0.1, "NaN"],
    FieldType.INTEGER: [2**31, 0, "x"],
    FieldType.BOOLEAN: ["maybe"],
    FieldType.DATE: ["0026-01-15", "2026-02-30", "soon"],
    FieldType.MONTH: ["2026-13", "0026-01"],
    FieldType.INSTANT: ["0026-02-01T10:00:00Z", "2026-03-02T12:00:00", "noon"],
    FieldType.CURRENCY: ["usd", "EURO"],
}


def begun(of_kind: FactKind, /, **more: Any) -> dict[str, Any]:
    """The event that begins a fact of the kind."""
    of = {} if of_kind in PARTNERLESS else {"partner_id": "P1"}
    return event(BASES[of_kind].type, "x", **(of | WHOLE[of_kind] | more))


async def test_every_field_is_read_as_strictly_as_in_a_file(sender: Sender) -> None:
    """Of each field what its type, its list of words and its length do not allow, an event for each."""
    before = await sender.rows()
    for kind, base in BASES.items():
        assert set(base.fields.values()) - {"partner_id"} == set(WHOLE[kind])
        wrong = [(field, value) for column, field in base.fields.items() for value in _bad(KINDS[kind].by_name[column])]
        for start in range(0, len(wrong), 25):
            some = wrong[start : start + 25]
            told = problem(await sender.send(*(begun(kind, **{field: value}) for field, value in some)), 422)
            found = {(one["event"], one["field"]) for one in told["errors"]}
            assert found == {(place, f"data.{field}") for place, (field, _) in enumerate(some)}
    assert await sender.rows() == before


def _bad(field: FieldSpec) -> list[Any]:
    values = ["spam", *BAD[FieldType.TEXT]] if field.allowed else BAD[field.type]
    return [*values, *([LONG, UNSEEN] if field.is_name else []), *([None] if field.required else [])]


DUE = [
    [assigned("L1", NOON, accept_due_at="2026-03-02T11:59:59.5Z")],
    [assigned("L1", NOON, contact_due_at="2026-03-02T12:59:59+01:00")],
]
"""Deadlines before the assignment, which only the reading of files knows; the table does not."""

IMPLIED = "said by the type of the event itself"
EARLY = "an event may come before what it belongs to, and waits for it"
SUBJECT = "the subject names the fact: another event of it is a change of it"
TWICE = [event("transaction.recorded", name, partner_id="P1", transaction_id="T", **SALE) for name in ("a", "b")]

RULES: dict[str, list[list[dict[str, Any]]] | str] = {
    "lead accept_due_at, assigned_at": DUE[:1],
    "lead contact_due_at, assigned_at": DUE[1:],
    "lead excluded_at, excluded_reason": IMPLIED,
    "lead excluded_reason": [[event("lead.recalled", "L1", excluded_reason="spam")]],
    "lead rejected_at, rejected_reason": IMPLIED,
    "lead partner_id": [[assigned("L1", partner_id="P9")]],
    "lead_pause resumed_at, paused_at": "an end before the beginning lasted no time (docs/events.md)",
    "lead_pause reason": [[event("lead.paused", "Z", lead_id="L1", reason="")]],
    "lead_pause source_system, lead_id": EARLY,
    "lead_event kind": [[event("lead.event.recorded", "V", lead_id="L1", kind="spam")]],
    "lead_event source_system, lead_id": EARLY,
    "opportunity closed_at, outcome": [[event("deal.closed", "D1")]],
    "opportunity outcome, amount": [[event("deal.closed", "D1", outcome="won")]],
    "opportunity outcome": [[event("deal.closed", "D1", outcome="spam")]],
    "opportunity origin": [[begun(FactKind.OPPORTUNITIES, origin="spam")]],
    "opportunity partner_id": [[begun(FactKind.OPPORTUNITIES, partner_id="P9")]],
    "opportunity_reopening reopened_at, closed_at": "a reopening before the close undoes nothing (docs/events.md)",
    "opportunity_reopening outcome, amount": IMPLIED,
    "opportunity_reopening outcome": IMPLIED,
    "opportunity_reopening source_system, opportunity_id": EARLY,
    "opportunity_stage stage": [[event("deal.stage.entered", "S", opportunity_id="D1", stage="")]],
    "opportunity_stage source_system, opportunity_id": EARLY,
    "mdf_request activity_start, activity_end": [
        [begun(FactKind.MDF_REQUESTS, activity_start="2026-03-02", activity_end="2026-03-01")]
    ],
    "mdf_request requested_amount": [[begun(FactKind.MDF_REQUESTS, requested_amount=-1)]],
    "mdf_request approved_amount": [[event("mdf.request.approved", "R1", approved_amount=-1)]],
    "mdf_request decision": IMPLIED,
    "mdf_request decision, decided_at": IMPLIED,
    "mdf_request decision, approved_amount": [[event("mdf.request.approved", "R1")]],
    "mdf_request released_reason": [[event("mdf.request.released", "R1", released_reason="spam")]],
    "mdf_request released_at, released_reason": IMPLIED,
    "mdf_request request_id": SUBJECT,  # of two sources: test_a_key_that_another_fact_has_is_a_conflict
    "mdf_request allocation_id": [[begun(FactKind.MDF_REQUESTS, allocation_id="A9")]],
    "mdf_request partner_id": [[begun(FactKind.MDF_REQUESTS, partner_id="P9")]],
    "mdf_claim claimed_amount": [[begun(FactKind.MDF_CLAIMS, claimed_amount=-1)]],
    "mdf_claim approved_amount": [[event("mdf.claim.approved", "M1", approved_amount=-1)]],
    "mdf_claim paid_amount": [[event("mdf.claim.paid", "M1", paid_amount=-1)]],
    "mdf_claim decision": IMPLIED,
    "mdf_claim decision, decided_at": IMPLIED,
    "mdf_claim decision, approved_amount": [[event("mdf.claim.approved", "M1")]],
    "mdf_claim paid_at, paid_amount": [[event("mdf.claim.paid", "M1")]],
    "mdf_claim paid_at, withdrawn_at": "what is paid can no longer be taken back (docs/events.md)",
    "mdf_claim request_id": EARLY,
    "mdf_claim partner_id": [[begun(FactKind.MDF_CLAIMS, partner_id="P9")]],
    "enablement_assignment previous_due_on, due_changed_at": IMPLIED,
    "enablement_assignment waived_by, waived_at": [[event("enablement.waived", "E1")]],
    "enablement_assignment course_version": [[begun(FactKind.ENABLEMENT, course_version=0)]],
    "enablement_assignment score": [[event("enablement.completed", "E1", score=-1)]],
    "enablement_assignment partner_id": [[begun(FactKind.ENABLEMENT, partner_id="P9")]],
    "enablement_assignment person_id": [[begun(FactKind.ENABLEMENT, person_id="H9")]],
    "compliance_result outcome": [[begun(FactKind.COMPLIANCE_RESULTS, outcome="spam")]],
    "compliance_result outcome, value": [
        [begun(FactKind.COMPLIANCE_RESULTS, outcome="partial")],
        [begun(FactKind.COMPLIANCE_RESULTS, value=0.5)],
    ],
    "compliance_result check_id, version": [[begun(FactKind.COMPLIANCE_RESULTS, check_version=9)]],
    "compliance_result partner_id": [[begun(FactKind.COMPLIANCE_RESULTS, partner_id="P9")]],
    "compliance_waiver valid_from, valid_until": [[begun(FactKind.COMPLIANCE_WAIVERS, valid_until="2026-03-01")]],
    "compliance_waiver partner_id": [[begun(FactKind.COMPLIANCE_WAIVERS, partner_id="P9")]],
    "partner_transaction attribution": [[begun(FactKind.TRANSACTIONS, attribution="spam")]],
    "partner_transaction kind": [[begun(FactKind.TRANSACTIONS, kind="spam")]],
    "partner_transaction kind, net_amount": [
        [begun(FactKind.TRANSACTIONS, net_amount=-1)],
        [begun(FactKind.TRANSACTIONS, kind="credit")],
    ],
    "partner_transaction source_system, transaction_id, partner_id": [TWICE],
    "partner_transaction partner_id": [[begun(FactKind.TRANSACTIONS, partner_id="P9")]],
    "partner_transaction credit_share": [
        [
            event("transaction.recorded", of, partner_id=of, transaction_id="T", credit_share=0.6, **SALE)
            for of in ("P1", "P2")
        ]
    ],
    "partner_cost attribution": [[begun(FactKind.COSTS, attribution="spam")]],
    "partner_cost kind": [[begun(FactKind.COSTS, kind="spam")]],
    "partner_cost kind, earned_period": [[begun(FactKind.COSTS, earned_period=None)]],
    "partner_cost partner_id": [[begun(FactKind.COSTS, partner_id="P9")]],
}
"""By table and columns the batches that break it, or why none can."""


async def test_every_rule_of_files_is_one_of_events_or_says_why_not(sender: Sender) -> None:
    asked = {_rule(KINDS[kind].table, *pair) for kind in BASES for pair in KINDS[kind].ordered}
    asked.add(_rule("partner_transaction", "credit_share"))
    for kind in (*BASES, FactKind.OPPORTUNITY_REOPENINGS):
        for rule in await sender.pool.fetch(_CONSTRAINTS, KINDS[kind].table):
            names = rule["columns"]
            # When something became known is written by the service, and a fact is named by its subject.
            if not any(name.endswith("_known_at") for name in names) and names != ["source_system", "source_id"]:
                asked.add(_rule(KINDS[kind].table, *names))
    assert {_rule(*re.split("[ ,]+", name)) for name in RULES} == asked
    before = await sender.rows()
    for name, batches in RULES.items():
        for batch in batches if isinstance(batches, list) else ():
            told = await sender.send(event("lead.accepted", "other"), *batch)
            assert told.status_code in (409, 422), (name, told.text)
            (error, *_) = problem(told, told.status_code)["errors"]
            fields = {"data", "check_version", *re.split("[ ,]+", name)[1:]}
            assert set(error["field"].removeprefix("data.").split(", ")) <= fields, (name, error)
            assert error["found"]
            assert error["allowed"]
    assert await sender.rows() == before


def _rule(table: str, *columns: str) -> tuple[str, frozenset[str]]:
    return table, frozenset(columns)


async def test_a_deadline_before_the_assignment_is_refused_with_both_moments(sender: Sender) -> None:
    early = "2026-03-02T11:00:00Z"
    errors = await refused(
        sender,
        422,
        assigned("L1", NOON, accept_due_at=NOON, contact_due_at=NOON),
        assigned("L2", NOON, accept_due_at=early, contact_due_at="2026-03-02T12:30:00+01:00"),
    )
    at = "2026-03-02T12:00:00+00:00"
    assert [(one["event"], one["field"], one["found"], one["allowed"]) for one in errors] == [
        (1, "data.accept_due_at", "2026-03-02T11:00:00+00:00", f"{at}, when the event happened, or later"),
        (1, "data.contact_due_at", "2026-03-02T11:30:00+00:00", f"{at}, when the event happened, or later"),
    ]
    # At that moment it is taken, as in a file; and each version is looked at by itself, in whatever order they come.
    assert await sender.states(assigned("L1", NOON, accept_due_at=NOON, contact_due_at=NOON)) == ["new"]
    moved = assigned("L1", "2026-03-02T13:00:00Z", accept_due_at=NOON, version=3)
    (error,) = await refused(sender, 422, moved)
    assert error["field"] == "data.accept_due_at"
    assert await sender.states(assigned("L1", early, accept_due_at=early, version=2)) == ["new"]
    (error,) = await refused(sender, 422, assigned("L1", NOON, contact_due_at=early, id="a second assignment"))
    assert error["event"] == 0


async def test_an_activity_that_ends_before_it_begins_is_refused_with_both_days(sender: Sender) -> None:
    def asked(subject: str, start: str | None, end: str | None, **more: Any) -> dict[str, Any]:
        said = begun(FactKind.MDF_REQUESTS, activity_start=start, activity_end=end)
        return said | {"subject": subject, "id": subject} | more

    early = asked("R1", "2026-03-10", "2026-03-09")
    (error,) = await refused(sender, 422, asked("R2", "2026-03-10", "2026-03-10"), early)
    assert (error["event"], error["field"], error["found"], error["allowed"]) == (
        1,
        "data.activity_end",
        "2026-03-09",
        "2026-03-10, as data.activity_start says, or later",
    )
    # A day is long enough, and of half of it nothing is said; a correction is looked at by itself.
    alike = asked("R1", "2026-03-10", "2026-03-10")
    assert await sender.states(alike, asked("R2", None, "2026-03-09"), asked("R3", "2026-03-10", None)) == ["new"] * 3
    (error,) = await refused(sender, 422, early | {"version": 2})
    assert error["field"] == "data.activity_end"
    assert await sender.states(asked("R1", "2026-03-08", "2026-03-09", version=3)) == ["new"]


async def test_what_was_taken_before_there_was_the_rule_is_still_a_duplicate(sender: Sender) -> None:
    """A sender who is not sure whether a batch arrived sends it again, whatever has become a mistake since."""
    said = assigned("L1", NOON)
    early = said | {"id": "e", "data": said["data"] | {"contact_due_at": "2026-03-02T11:00:00Z"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refusing, "_ENDS", {})
        assert await sender.states(early) == ["new"]
    assert await sender.states(early) == ["duplicate"]
    assert await sender.states(event("lead.contacted", "L1", "2026-03-02T13:00:00Z"), early) == ["new", "duplicate"]


async def test_a_line_of_revenue_that_was_another_transaction_all_along_becomes_a_line_of_that(sender: Sender) -> None:
    def line(name: str, partner: str, **more: Any) -> dict[str, Any]:
        said: dict[str, Any] = {"partner_id": partner, "credit_share": 0.5} | SALE | more
        return event("transaction.recorded", name, **said)

    await sender.states(line("a", "P1", transaction_id="T"), line("b", "P2", transaction_id="U"))
    assert await sender.states(line("b", "P2", transaction_id="T", version=2)) == ["new"]
    assert (await sender.row("partner_transaction", "b"))["transaction_id"] == "T"
    assert await sender.pool.fetchval("select count(*) from shared_line") == 2
    (error,) = await refused(sender, 422, line("b", "P2", transaction_id="T", credit_share=0.6, version=3))
    assert (error["field"], "1.1" in error["found"]) == ("data.credit_share", True)
    # Nobody else may have its key.
    (error,) = await refused(sender, 409, line("c", "P2", transaction_id="T"))
    assert "transaction_id" in error["field"]
