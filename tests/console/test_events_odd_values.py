"""Every field of every type of event with what JSON can carry: an event is taken, and its fact says so, or the batch is
refused with the event, the field, what was found and what is allowed, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from store.events.folding import BASES, CHANGES
from store.events.types import DATA
from store.intake.kinds import KINDS
from tests.console.conftest import Sender, event, problem

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 0.1 + 0.2, 1e308, -1e308, 5e-324, 2**31 - 1, 2**31, 2**63, 10**30, -(10**14)),
    *("", " ", "a\x00b", "\x1b[2J", "\u2028", "\ufeff", "x" * 200, "x" * 201, "é😀", "\\N", "won", "EUR", "P1"),
    *("0", "-0", "0.00000001", "99999999999999.9999", "-99999999999999.9999", "100000000000000", "1e5", "NaN", "1,5"),
    *("0001-01-01", "1970-01-01", "2199-12-31", "9999-12-31", "2025-02-30", "2025-02", "2199-12", "20250201"),
    *("1970-01-01T00:00:00+14:00", "2199-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "2025-02-01T24:00:00Z"),
    *([], {}, [None], {"a": {"b": []}}),
)
ENVELOPE = ("id", "subject", "time", "version", "specversion", "retracted", "datacontenttype", "dataschema", "data")
ENVELOPES_OF = ("lead.assigned", "lead.contacted")
"""One that begins a fact and one that changes it: of all others the envelope is the same."""

SAYS_LITTLE = ("excluded_reason",)

SOME: dict[str, Any] = {
    "partner_id": "P1",
    "person_id": "H1",
    "check_id": "C1",
    "check_version": 1,
    "lead_id": "L",
    "opportunity_id": "D",
    "currency": "EUR",
    "requested_amount": 5,
    "claimed_amount": 5,
    "approved_amount": 4,
    "paid_amount": 4,
    "amount": 5,
    "net_amount": 5,
    "origin": "partner",
    "outcome": "lost",
    "transaction_date": "2026-03-01",
    "recognised_on": "2026-03-01",
    "due_on": "2026-04-01",
    "valid_from": "2026-03-01",
    "valid_until": "2026-04-01",
}
KIND = {"lead.event.recorded": "attempted", "transaction.recorded": "sale", "cost.recorded": "product"}


def plain(type_: str, subject: str) -> dict[str, Any]:
    """An event that says what it must and nothing else."""
    said: dict[str, Any] = {}
    for name, field in DATA[type_][1].model_fields.items():
        if field.is_required():
            said[name] = KIND.get(type_, "some") if name == "kind" else SOME.get(name, "some")
    if type_ == "compliance.result.recorded":
        said["outcome"] = "pass"
    return event(type_, subject, id=f"{type_} {subject}") | {"data": said}


class Try(NamedTuple):
    """Events about one subject, the last of which says something odd in one field."""

    events: tuple[dict[str, Any], ...]
    field: str
    value: Any


def tries(type_: str) -> Iterator[Try]:
    """One for each field and odd value; what only changes a fact comes after the event that begins that."""
    kind, data = DATA[type_]
    begins = BASES[kind].type
    names = [field.alias or name for name, field in data.model_fields.items()]
    names += ENVELOPE if type_ in ENVELOPES_OF else ()
    for number, (name, value) in enumerate((name, value) for name in names for value in ODD):
        subject = f"{type_} {number}"
        before = () if type_ == begins else (plain(begins, subject),)
        last = plain(type_, subject)
        odd = last | {name: value} if name in ENVELOPE else last | {"data": last["data"] | {name: value}}
        yield Try((*before, odd), name, value)


async def taken(sender: Sender, some: list[Try]) -> list[tuple[Try, str]]:
    """Send them in one batch, without those that are refused until all are taken; what became of the ones left."""
    left, before = some, await sender.pool.fetchval("select count(*) from fact_event")
    while left:
        batch = [(place, one) for place, found in enumerate(left) for one in found.events]
        told = await sender.send(*(one for _, one in batch))
        if told.status_code == 200:
            states = {place: one["state"] for (place, _), one in zip(batch, told.json()["events"], strict=True)}
            return [(found, states[place]) for place, found in enumerate(left)]
        assert await sender.pool.fetchval("select count(*) from fact_event") == before
        wrong = set()
        for error in problem(told, 409 if told.status_code == 409 else 422)["errors"]:
            assert all(error[name] for name in ("field", "found", "allowed")), error
            place, one = batch[error["event"]]
            assert one is left[place].events[-1], error
            field = left[place].field
            # A rule about the whole of something names that; of a check it is the version that nobody knows.
            whole = ("data", "event", "data.check_version")
            assert error["field"].startswith(f"{field}.") or error["field"] in (f"data.{field}", field, *whole), error
            wrong.add(place)
        left = [found for place, found in enumerate(left) if place not in wrong]
    return []


async def told_of(sender: Sender, type_: str, kept: list[tuple[Try, str]]) -> None:
    """Each fact is there, and has what was said of it; unless the answer was that it waits for another one."""
    kind, base = DATA[type_][0], BASES[DATA[type_][0]]
    rows = {row["source_id"]: row for row in await sender.pool.fetch(f"select * from {KINDS[kind].table}")}  # noqa: S608
    change = CHANGES.get(type_)
    for one, state in kept:
        subject = one.events[-1]["subject"]
        assert state == ("new" if subject in rows else "waiting"), one
        if state == "waiting":
            assert one.field in ("lead_id", "opportunity_id", "request_id", "subject"), one
            continue
        row = rows[subject]
        if change is not None and one.field != "retracted":
            assert row[change.column] is not None, one
        column = base.renamed.get(one.field, one.field)
        if one.field not in ENVELOPE and one.value is not None:
            assert row[column] is not None, one


async def test_a_field_of_any_type_is_taken_or_refused_by_name_whatever_it_holds(sender: Sender) -> None:
    await sender.states(plain("lead.assigned", "L"), plain("deal.registered", "D"))
    for type_ in DATA:
        every = list(tries(type_))
        kept: list[tuple[Try, str]] = []
        for start in range(0, len(every), 20):
            kept += await taken(sender, every[start : start + 20])
        # Nothing odd fits where there is nothing to say, or one of a few words.
        assert kept or set(SAYS_LITTLE) >= {one.field for one in every}, type_
        await told_of(sender, type_, kept)
