"""Everything that is stored beside facts and follows from them, held against the facts themselves, worked out anew.

What triggers keep is asked by the triggers' own arguments, so that a table that gets one later is looked at too. Made
for worlds in which every correction became known later than what it corrects, as those of live files do.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from store.calendars.contacts import time_contacts
from store.calendars.deadlines import Assignment, deadlines_at_assignment
from store.calendars.pauses import move_deadlines
from store.events.arrivals import Key
from store.events.taking import read_events, settle
from store.intake.kinds import KINDS, FactKind
from store.pool import Connection

Differences: TypeAlias = list[str]

_TRIGGERS: Final = """
    select distinct on (tgrelid) tgrelid::regclass::text as facts, tgargs
    from pg_trigger where tgfoid = $1::regproc order by tgrelid, tgname
"""
_COLUMNS: Final = """
    select attname::text from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped
"""
_LEADS: Final = "select source_system, source_id, accept_due_at, contact_due_at, amended_at from lead"
_TIMES: Final = """
    select source_system, source_id, partner_id, assigned_at, first_contact_at, elapsed_minutes, business_minutes
    from lead_contact_time join lead using (source_system, source_id, partner_id, assigned_at, first_contact_at)
"""


async def disagreements(conn: Connection, *names: str) -> dict[str, Differences]:
    """By what is derived, all of it or these, what is not as the facts say; nothing where all agrees."""
    found = {}
    for name in names or _LOOKS:
        transaction = conn.transaction()
        await transaction.start()
        try:
            found[name] = await _LOOKS[name](conn)
        finally:
            await transaction.rollback()
    return {name: differences for name, differences in found.items() if differences}


async def _differ(conn: Connection, label: str, one: str, other: str) -> Differences:
    """Rows of one statement that the other has not, as many times."""
    rows = await conn.fetch(
        f"with one as ({one}), other as ({other}) (select '+' as side, o::text as row from"  # noqa: S608
        " (table one except all table other) as o) union all"
        " (select '-', o::text from (table other except all table one) as o) limit 5"
    )
    return [f"{label}: {row['side']}{row['row']}" for row in rows]


async def kept_by(conn: Connection, function: str) -> list[tuple[str, list[str]]]:
    """Tables with such a trigger, and what it is given."""
    rows = await conn.fetch(_TRIGGERS, function)
    assert rows
    return [(row["facts"], [one.decode() for one in row["tgargs"].split(b"\0")[:-1]]) for row in rows]


async def _versions(conn: Connection, facts: str) -> str:
    """All that rows say and said."""
    names = ", ".join(row["attname"] for row in await conn.fetch(_COLUMNS, facts))
    return f"(select {names} from {facts} union all select {names} from superseded.{facts})"  # noqa: S608


async def _shared_lines(conn: Connection) -> Differences:
    return await _differ(conn, "kept", "table shared_line", "select * from shared_lines()")


async def _days(conn: Connection) -> Differences:
    found: Differences = []
    for facts, (day, known, currency, amount, which) in await kept_by(conn, "count_fact_days"):
        kept = f"""
            select source_system, day, known_on, currency, sum(facts), trim_scale(sum(amount)) from fact_day
            where facts_of = '{facts}' group by 1, 2, 3, 4 having sum(facts) <> 0 or sum(amount) <> 0
        """  # noqa: S608
        told = f"""
            select source_system, ({day})::date, ({known})::date, {currency}, count(*)::numeric,
                   trim_scale(sum({amount})::numeric)
            from {facts} where {which} group by 1, 2, 3, 4
        """  # noqa: S608
        found += await _differ(conn, facts, kept, told)
    return found


async def _restated(conn: Connection) -> Differences:
    """One for every two versions of a fact, where what the first one said is not what the second says."""
    found: Differences = []
    no_word = ("source_system", "source_id", "known_at", "recorded_at", "amended_at", "last_activity_at")
    for facts, _ in await kept_by(conn, "keep_restated"):
        names = [row["attname"] for row in await conn.fetch(_COLUMNS, facts) if row["attname"] not in no_word]
        changed = " or ".join(f"(o.{name} is not null and o.{name} is distinct from n.{name})" for name in names)
        told = f"""
            select source_system, source_id, n.amended_at from superseded.{facts} o
            join {await _versions(conn, facts)} n using (source_system, source_id)
            where n.amended_at = o.superseded_at and ({changed})
        """  # noqa: S608
        kept = f"select source_system, source_id, restated_at from fact_restated where facts_of = '{facts}'"  # noqa: S608
        found += await _differ(conn, facts, kept, told)
    return found


async def _history(conn: Connection) -> Differences:
    """Every version but the first follows another, at the moment at which that one ends."""
    found: Differences = []
    for facts, _ in await kept_by(conn, "keep_superseded"):
        begun = f"""
            select source_system, source_id, amended_at from {await _versions(conn, facts)} as v
            where amended_at is not null
        """  # noqa: S608
        ended = f"select source_system, source_id, superseded_at from superseded.{facts}"  # noqa: S608
        found += await _differ(conn, facts, begun, ended)
    return found


async def _journal(conn: Connection) -> Differences:
    """What the watch is told: of whom anything was said, and when it was known; of nothing that is not there."""
    found: Differences = []
    for facts, (about, horizon) in await kept_by(conn, "journal_facts"):
        told = f"select distinct {about}, {horizon} from {await _versions(conn, facts)} as v"  # noqa: S608
        kept = f"select distinct about, horizon from watch_change where facts = '{facts}'"  # noqa: S608
        found += await _differ(conn, facts, kept, told)
    return found


async def _ledger(conn: Connection) -> Differences:
    """Every fact of a source that sends files is new in one import, and each correction a change in one."""
    found: Differences = []
    sources = "source_system in (select source from intake_run)"
    for kind, spec in KINDS.items():
        # Leads are amended by pauses as well.
        changed = "0" if kind is FactKind.LEADS else "sum(rows_changed)"
        amended = "0" if kind is FactKind.LEADS else "count(*) - count(distinct source_id)"
        kept = f"""
            select source, sum(rows_new), ({changed})::numeric from intake_run
            where kind = '{kind}' and outcome = 'taken' group by 1 having sum(rows_new) > 0
        """  # noqa: S608
        told = f"""
            select source_system, count(distinct source_id)::numeric, ({amended})::numeric
            from {await _versions(conn, spec.table)} as v where {sources} group by 1
        """  # noqa: S608
        found += await _differ(conn, kind.value, kept, told)
    return found


async def _clocks(conn: Connection) -> Differences:
    """Deadlines as they are reckoned at assignment, of all leads that have one reckoned."""
    rows = await conn.fetch(
        "select c.source_id, c.accept_due_at, c.contact_due_at, c.calendar_id, c.reckoned_at, l.partner_id, l.class,"
        " l.assigned_at from lead_clock c join lead l using (source_system, source_id)"
    )
    found: Differences = []
    for moment in sorted({row["reckoned_at"] for row in rows}):
        some = [row for row in rows if row["reckoned_at"] == moment]
        asked = [Assignment(row["partner_id"], row["class"], row["assigned_at"]) for row in some]
        for row, due in zip(some, await deadlines_at_assignment(conn, asked, moment=moment), strict=True):
            kept = (row["accept_due_at"], row["contact_due_at"], row["calendar_id"])
            if due is None or (due.accept_due_at, due.contact_due_at, due.calendar_id) != kept:
                found.append(f"{row['source_id']}: {kept}, reckoned {due}")
    unreckoned = await conn.fetchval(
        "select count(*) from lead l where exists (select from lead_policy) and policy_version is null"
    )
    return found + [f"{unreckoned} leads without deadlines"] * bool(unreckoned)


async def _pauses(conn: Connection) -> Differences:
    """To move the deadlines of all leads by all pauses once more moves none."""
    before = {tuple(row) for row in await conn.fetch(_LEADS)}
    await move_deadlines(conn, [(row[0], row[1]) for row in before])
    return [str(one) for one in before ^ {tuple(row) for row in await conn.fetch(_LEADS)}][:5]


async def _contact_times(conn: Connection) -> Differences:
    before = {tuple(row) for row in await conn.fetch(_TIMES)}
    leads = await conn.fetch("select source_system, source_id from lead where first_contact_at is not null")
    await conn.execute("delete from lead_contact_time")
    await time_contacts(conn, [(row[0], row[1]) for row in leads], datetime.fromisoformat("2100-01-01T00:00:00Z"))
    return [str(one) for one in before ^ {tuple(row) for row in await conn.fetch(_TIMES)}][:5]


async def _events(conn: Connection) -> Differences:
    """To write what all events kept say of their facts changes nothing, and nobody is missing."""
    keys = [Key(*row) for row in await conn.fetch("select distinct source_system, kind, subject from fact_event")]
    tables = sorted({KINDS[FactKind(key.kind)].table for key in keys})
    before = {table: await _text(conn, table) for table in tables}
    await settle(conn, await conn.fetchval("select clock_timestamp()"), await read_events(conn, keys), {})
    found = [table for table in tables if await _text(conn, table) != before[table]]
    kept = "select source_system, kind, subject from fact_subject"
    told = "select distinct source_system, kind, subject from fact_event"
    return found + await _differ(conn, "subjects", kept, told)


async def _text(conn: Connection, table: str) -> Any:
    return await conn.fetchval(f"select md5(string_agg(t::text, ',' order by t::text)) from {table} t")  # noqa: S608


_LOOKS: Final[dict[str, Callable[[Connection], Coroutine[Any, Any, Differences]]]] = {
    "shared_line": _shared_lines,
    "fact_day": _days,
    "fact_restated": _restated,
    "superseded": _history,
    "watch_change": _journal,
    "intake_run": _ledger,
    "lead_clock": _clocks,
    "lead": _pauses,
    "lead_contact_time": _contact_times,
    "fact_event": _events,
}

KEEPERS: Final = {
    *("keep_shared_lines", "count_fact_days", "forget_fact_days", "keep_restated", "keep_superseded"),
    "journal_facts",
}
"""The functions by which triggers of facts keep what the looks above compare."""


async def keepers(conn: Connection) -> set[str]:
    """The functions of all triggers that tables of facts have."""
    rows = await conn.fetch(
        "select distinct tgfoid::regproc::text from pg_trigger"
        " where not tgisinternal and tgrelid = any ($1::text[]::regclass[])",
        [spec.table for spec in KINDS.values()],
    )
    return {row[0] for row in rows}


WRONG: Final[Sequence[tuple[str, str]]] = (
    ("shared_line", "delete from shared_line where ctid in (select min(ctid) from shared_line)"),
    ("shared_line", "insert into shared_line select 'p1', '2026-01-01', 'erp', 'nobody'"),
    ("fact_day", "update fact_day set facts = facts + 1 where ctid in (select min(ctid) from fact_day)"),
    ("fact_restated", "delete from fact_restated where ctid in (select min(ctid) from fact_restated)"),
    ("superseded", "delete from superseded.partner_cost where ctid in (select min(ctid) from superseded.partner_cost)"),
    (
        "watch_change",
        "delete from watch_change where ctid in (select min(ctid) from watch_change where facts = 'lead')",
    ),
    ("watch_change", "insert into watch_change (facts, about, horizon) values ('lead', 'p1', '2026-01-01Z')"),
    ("intake_run", "update intake_run set rows_new = rows_new + 1, rows_read = rows_read + 1 where kind = 'costs'"),
    ("lead_clock", "update lead_clock set contact_due_at = contact_due_at + interval '1 minute'"),
    ("lead", "update lead set contact_due_at = contact_due_at + interval '1 minute' where policy_version is not null"),
    ("lead_contact_time", "update lead_contact_time set business_minutes = business_minutes + 1"),
    ("fact_event", "update partner_transaction set net_amount = net_amount + 1 where source_system = 'live'"),
)
"""What makes each of them wrong: looks are worth what they find."""
