"""Takes a batch of events, whole or not at all: keeps each, and makes of their facts what all events known of them say.

Writers to one fact come one after the other: each locks the subjects of its batch first, all in one order, and last
those that may wait for another fact.
Then nothing that it reads of them can change under it, and no two batches can wait for each other in a circle.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from datetime import datetime
from functools import partial
from itertools import repeat
from typing import Any, Final, NamedTuple

import asyncpg

from store.events.arrivals import Arrival, Key, State, arrivals, happened, sort_out
from store.events.columns import joined, separate
from store.events.deadlines import LeadDeadlines
from store.events.errors import EventProblem, EventsRefused, in_order, shown
from store.events.folding import BASES, BEGINNINGS, Fact, Happening, fold, taken_back
from store.events.naming import unknown_names
from store.events.refusing import beginnings_taken_back, ends_before_beginnings, in_the_future
from store.events.said import Said
from store.events.writing import Row, stored_rows, write_facts
from store.intake.kinds import FactKind
from store.pool import Connection
from store.statements import statement

_BEGIN: Final = statement("events/begin_subjects")
_LOCK: Final = statement("events/lock_subjects")
_WAITING_FOR: Final = statement("events/waiting_claims")
_WAITING: Final = statement("events/waiting_for")
_KNOWN: Final = statement("events/known_versions")
_KEEP: Final = statement("events/keep_events")
_EVENTS_OF: Final = statement("events/events_of")
_SETTLE: Final = statement("events/settle_subjects")
_OVERCREDITED: Final = statement("events/overcredited")

_KINDS: Final = {kind.value: kind for kind in BASES}
_TRIES: Final = 4
_key: Final = partial(tuple.__new__, Key)
_SHARED: Final = ""
"""Stands for the source of what all sources call by one name."""

_REQUEST_NAME: Final = "mdf-request-name"
_REQUESTED: Final = BASES[FactKind.MDF_REQUESTS].type
_OWNERS: Final = {"lead_id": FactKind.LEADS, "opportunity_id": FactKind.OPPORTUNITIES}
"""What names a fact of the same source that another one belongs to."""

_OWNED: Final = {
    FactKind.LEAD_PAUSES.value: "lead_id",
    FactKind.LEAD_EVENTS.value: "lead_id",
    FactKind.OPPORTUNITY_STAGES.value: "opportunity_id",
}
"""By kind the field that names whom it belongs to."""

_LAST: Final = frozenset({FactKind.MDF_CLAIMS.value, *_OWNED})
"""Kinds of which a fact may wait for another one."""

_RELATED: Final = _LAST | {FactKind.MDF_REQUESTS.value, FactKind.TRANSACTIONS.value}
"""Kinds that share with others what has to be locked."""


class Wait(NamedTuple):
    """The event without which there is no fact."""

    type: str
    subject: str


Waits = dict[Key, "Wait | None"]


async def take(pool: asyncpg.Pool[asyncpg.Record], source: str, events: Sequence[Said], key_name: str) -> list[State]:
    """Take a batch of one source in one transaction; what became of each event.

    Raises:
        EventsRefused: an event names what is not known, or credits more than the whole; nothing was taken.
        EventsConflict: an event contradicts what was taken before; nothing was taken.
    """
    batch = arrivals(source, events)
    if in_the_future(batch) or beginnings_taken_back(batch):
        raise EventsRefused(await look_through(pool, source, events))
    for remaining in reversed(range(_TRIES)):
        try:
            async with pool.acquire() as conn, conn.transaction():
                return await _take(conn, source, batch, key_name, hopeful=remaining == _TRIES - 1)
        except (asyncpg.DeadlockDetectedError, asyncpg.UniqueViolationError):
            # A file brought a fact that begins here, an import wrote the same rows in its own order, or another batch
            # took one of these ids for another fact.
            if not remaining:
                raise
    raise AssertionError("a loop that returns or raises")


async def look_through(
    pool: asyncpg.Pool[asyncpg.Record], source: str, events: Sequence[Said]
) -> tuple[EventProblem, ...]:
    """All that is wrong with events of one source by themselves, and with the names in them, by their place: whoever
    has to mend a batch is told everything at once. Nothing is taken, and what was taken once is asked nothing new."""
    batch = arrivals(source, events)
    async with pool.acquire() as conn:
        rows = await conn.fetch(_KNOWN, source, joined([one.id for one in batch]))
        taken = {(row["event_id"], row["version"]) for row in rows}
        fresh = [one for one in batch if (one.id, one.event.version) not in taken]
        unknown = await unknown_names(conn, fresh)
    return in_order([*in_the_future(batch), *beginnings_taken_back(batch), *ends_before_beginnings(fresh), *unknown])


async def _take(
    conn: Connection, source: str, batch: Sequence[Arrival], key_name: str, *, hopeful: bool
) -> list[State]:
    """`hopeful`: take it that no file brought a fact that begins with this batch."""
    locked = await _lock_for(conn, source, batch)
    states, fresh = sort_out(batch, await conn.fetch(_KNOWN, source, joined([one.event.event_id for one in batch])))
    wrong = [*ends_before_beginnings(fresh), *await unknown_names(conn, fresh)]
    if wrong:
        raise EventsRefused(in_order(wrong))
    waits = locked.waits
    if fresh:
        known = await _events(conn, locked, fresh)
        moment = await _keep(conn, source, key_name, fresh)
        begun = locked.begun if hopeful else frozenset()
        waits = waits | await settle(conn, moment, known, locked.waits, fresh, begun)
        await _refuse_overcredited(conn, source, fresh)
    for arrival in batch:
        if waits.get(arrival.key) and states[arrival.place] is State.NEW:
            states[arrival.place] = State.WAITING
    return states


class Locked(NamedTuple):
    """Subjects that nobody else changes until the transaction ends: what each waits for, and which had no event yet."""

    waits: Waits
    begun: frozenset[Key]


async def _lock_for(conn: Connection, source: str, batch: Sequence[Arrival]) -> Locked:
    keys = {one.key for one in batch}
    kinds = {kind for _, kind, _ in keys}
    related = [one for one in batch if one.key.kind in _RELATED] if kinds & _RELATED else []
    if any(one.key.kind == FactKind.TRANSACTIONS for one in related):
        # Lines of one transaction are different facts, and yet share its whole.
        await conn.execute("select pg_advisory_xact_lock(hashtextextended('credit ' || $1, 0))", source)
    requested = {_request_of(one) for one in related} - {None}
    names = {Key(_SHARED, _REQUEST_NAME, str(name)) for name in requested}
    owners = {
        Key(source, _OWNERS[field].value, data[field])
        for one in related
        if (field := _OWNED.get(one.key.kind)) is not None and field in (data := one.event.data)
    }
    last = {one.key for one in related if one.key.kind in _LAST}
    beginning = not BEGINNINGS.isdisjoint(one.event.type for one in batch)
    first = await lock(conn, keys - last | names | owners, beginning=beginning)
    # While what they wait for is locked, no other fact begins to wait for it.
    if requested:
        last |= {Key(*row) for row in await conn.fetch(_WAITING_FOR, _REQUESTED, list(requested))} - first.waits.keys()
    # Whoever waits for a lead or a deal has locked it before: for one that nobody had heard of, nobody waits.
    for owner in _OWNERS.values():
        begins = BASES[owner].type
        begin = {one.key for one in batch if one.event.type == begins} - first.begun
        if begin:
            rows = await conn.fetch(_WAITING_FOR, begins, [key.subject for key in begin])
            last |= {key for row in rows if (key := Key(*row)).source_system == source} - first.waits.keys()
    return _both(first, await lock(conn, last, beginning=beginning)) if last else first


def _both(one: Locked, other: Locked) -> Locked:
    return Locked(one.waits | other.waits, one.begun | other.begun)


def _request_of(one: Arrival) -> str | None:
    if one.key.kind == FactKind.MDF_REQUESTS:
        return one.key.subject
    return one.event.data.get("request_id")


async def lock(conn: Connection, keys: Iterable[Key], *, beginning: bool = False) -> Locked:
    """Lock subjects until the transaction ends, also such as nobody has heard of; `beginning`: many may be such."""
    waits: Waits = {}
    begun: set[Key] = set()
    for (source, kind), subjects in _grouped(keys):
        new = separate(await conn.fetchval(_BEGIN, source, kind, joined(subjects), beginning))
        begun.update(map(_key, zip(repeat(source), repeat(kind), new)))
        there = list(set(subjects).difference(new)) if new else subjects
        waits.update(dict.fromkeys(map(_key, zip(repeat(source), repeat(kind), there))))
        for subject, type_, other in await conn.fetch(_LOCK, source, kind, joined(there)) if there else ():
            waits[Key(source, kind, subject)] = Wait(type_, other)
    return Locked(dict.fromkeys(begun) | waits, frozenset(begun))


def _grouped(keys: Iterable[Key]) -> list[tuple[tuple[str, str], list[str]]]:
    """Subjects by source and kind, all of it in the one order of all writers."""
    found: dict[tuple[str, str], list[str]] = {}
    for source, kind, subject in set(keys):
        found.setdefault((source, kind), []).append(subject)
    return [(of, sorted(subjects)) for of, subjects in sorted(found.items())]


async def _keep(conn: Connection, source: str, key_name: str, fresh: Sequence[Arrival]) -> datetime:
    _, keys, events, texts, digests = zip(*fresh, strict=True)
    types, times, versions, ids, _, retracted = zip(*events, strict=True)
    _, kinds, subjects = zip(*keys, strict=True)
    hashes, numbers, undone = map(bytes.hex, digests), map(str, versions), map(str, retracted)
    columns = (ids, numbers, types, kinds, subjects, times, texts, hashes, undone)
    moment: datetime = await conn.fetchval(_KEEP, source, key_name, *map(joined, columns))
    return moment


async def _events(conn: Connection, locked: Locked, fresh: Sequence[Arrival]) -> dict[Key, list[Happening]]:
    """All events of the subjects that change, those kept already and the fresh ones, and of those that may have waited
    for one of them."""
    changed = {one.key for one in fresh}
    known = await read_events(conn, (changed | {key for key, wait in locked.waits.items() if wait}) - locked.begun)
    for _, key, event, _, _ in fresh:
        if key in known:
            known[key].append(event)
        else:
            known[key] = [event]
    return known


async def read_events(conn: Connection, keys: Iterable[Key]) -> dict[Key, list[Happening]]:
    """Every version of every event of these subjects that has been kept."""
    found: dict[Key, list[Happening]] = {}
    for (source, kind), subjects in _grouped(keys):
        of: dict[str, list[Happening]] = {}
        for subject, event in happened(await conn.fetch(_EVENTS_OF, source, kind, joined(subjects))):
            if subject in of:
                of[subject].append(event)
            else:
                of[subject] = [event]
        found.update(zip(map(_key, zip(repeat(source), repeat(kind), of)), of.values(), strict=True))
    return found


async def settle(
    conn: Connection,
    moment: datetime,
    known: dict[Key, list[Happening]],
    before: Waits,
    fresh: Sequence[Arrival] = (),
    begun: Set[Key] = frozenset(),
) -> Waits:
    """Write the facts that can be made of the events of these locked subjects; what the others wait for.

    `begun` are subjects of which no row is thought to be there.
    """
    kinds = {key.kind for key in known}
    folded = {key: fold(_KINDS[key.kind], key.subject, events) for key, events in known.items()}
    stored = await _with_stored(conn, known, [key for key, facts in folded.items() if facts is None])
    folded |= stored
    waits: Waits = {
        key: None if facts or taken_back(known[key]) else Wait(BASES[_KINDS[key.kind]].type, key.subject)
        for key, facts in folded.items()
    }
    if kinds & _LAST:
        waits |= await _without_request(conn, folded) | await _without_owner(conn, folded)
    made = [Row(key.source_system, fact) for key, facts in folded.items() if not waits[key] for fact in facts or ()]
    deadlines = LeadDeadlines(conn, moment, made)
    _refuse_without_deadline(await deadlines.fill(), fresh)
    there = known.keys() - begun | stored.keys()
    await write_facts(conn, moment, made, kinds - {key.kind for key in there})
    await deadlines.settle()
    changed = [(key, wait) for key, wait in waits.items() if wait != before.get(key)]
    if changed:
        rows = [(*key, *(wait or (None, None))) for key, wait in changed]
        await conn.execute(_SETTLE, moment, *map(list, zip(*rows, strict=True)))
    return waits


async def settle_waiting(conn: Connection, kind: FactKind) -> int:
    """Make the facts that can be made now that a file brought facts of this kind; how many.

    Call it after the import's transaction, not inside it: it locks in the order of events, not in that of a file.
    """
    if kind not in BASES:
        return 0
    async with conn.transaction():
        rows = await conn.fetch(_WAITING, BASES[kind].type)
        keys = [Key(*row) for row in rows]
        last = [key for key in keys if key.kind in _LAST]
        locked = _both(await lock(conn, set(keys) - set(last)), await lock(conn, last))
        still = [key for key, wait in locked.waits.items() if wait]
        moment = await conn.fetchval("select clock_timestamp()")
        waits = await settle(conn, moment, await read_events(conn, still), locked.waits)
    return sum(wait is None for wait in waits.values())


def _refuse_without_deadline(bad: dict[tuple[str, str], str], fresh: Sequence[Arrival]) -> None:
    if not bad:
        return
    places = {(one.key.source_system, one.key.subject): one.place for one in fresh if one.key.kind == FactKind.LEADS}
    raise EventsRefused(
        [
            EventProblem(event=places.get(lead), field="time", found=shown(why), allowed="a moment that has a deadline")
            for lead, why in bad.items()
        ]
    )


async def _with_stored(
    conn: Connection, known: dict[Key, list[Happening]], missing: Sequence[Key]
) -> dict[Key, tuple[Fact, ...] | None]:
    """Facts whose first event never comes, because a file brought them."""
    if not missing:
        return {}
    wanted: dict[FactKind, list[tuple[str, str]]] = {}
    for key in missing:
        wanted.setdefault(_KINDS[key.kind], []).append((key.source_system, key.subject))
    found: dict[Key, tuple[Fact, ...] | None] = {}
    for (source, kind, subject), text in (await stored_rows(conn, wanted)).items():
        key = Key(source, kind.value, subject)
        # Numbers as they are written: a float would round an amount.
        stored: dict[str, Any] = json.loads(text, parse_float=str, parse_int=str)
        found[key] = fold(kind, subject, known[key], stored)
    return found


async def _without_request(conn: Connection, folded: dict[Key, tuple[Fact, ...] | None]) -> Waits:
    """Claims that name a request which has not come yet: they are right, and early."""
    named = {
        key: str(facts[0].columns["request_id"])
        for key, facts in folded.items()
        if key.kind == FactKind.MDF_CLAIMS and facts and facts[0].columns["request_id"] is not None
    }
    if not named:
        return {}
    coming = {key.subject for key, facts in folded.items() if key.kind == FactKind.MDF_REQUESTS and facts}
    rows = await conn.fetch("select request_id from mdf_request where request_id = any ($1)", list(named.values()))
    there = coming | {row["request_id"] for row in rows}
    return {key: Wait(_REQUESTED, name) for key, name in named.items() if name not in there}


async def _without_owner(conn: Connection, folded: dict[Key, tuple[Fact, ...] | None]) -> Waits:
    """The same of pauses and events of a lead and of stages of a deal, which is one of their own source."""
    named = {
        key: Key(key.source_system, _OWNERS[field].value, str(facts[0].columns[field]))
        for key, facts in folded.items()
        if facts and (field := _OWNED.get(key.kind)) is not None
    }
    there = {owner for owner in named.values() if folded.get(owner)}
    wanted: dict[FactKind, list[tuple[str, str]]] = {}
    for owner in set(named.values()) - there:
        wanted.setdefault(_KINDS[owner.kind], []).append((owner.source_system, owner.subject))
    there |= {Key(*row) for row in await stored_rows(conn, wanted)}
    return {
        key: Wait(BASES[_KINDS[owner.kind]].type, owner.subject) for key, owner in named.items() if owner not in there
    }


async def _refuse_overcredited(conn: Connection, source: str, fresh: Sequence[Arrival]) -> None:
    lines = [one for one in fresh if one.key.kind == FactKind.TRANSACTIONS]
    if not lines:
        return
    names = {one.place: str(one.event.data.get("transaction_id") or one.key.subject) for one in lines}
    rows = await conn.fetch(_OVERCREDITED, source, list(set(names.values())))
    over = {row["transaction_id"]: row["share"] for row in rows}
    if over:
        raise EventsRefused(
            [
                EventProblem(
                    event=index,
                    field="data.credit_share",
                    found=f"shares of transaction {shown(name)} that add up to {over[name]}",
                    allowed="at most 1",
                )
                for index, name in names.items()
                if name in over
            ]
        )
