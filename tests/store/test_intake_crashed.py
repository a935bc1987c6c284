"""The whole server is ended by force, again and again, while files and events come in: nothing is half taken.

It writes what it commits to the disk before it says so. After each end the facts, what is kept beside them and the
ledger agree, all that was said to be taken is there, and what was lost comes with the same file brought again.
"""

from __future__ import annotations

import asyncio
import csv
import json
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.embedded.account import temporary_directory
from deploy.embedded.postgres import EmbeddedPostgres
from store.events import read_batch, take
from store.intake import FactKind, ImportReport, import_file, parse_mapping
from store.intake.kinds import KINDS
from store.migrate import migrate
from store.pool import create_pool
from tests.console.conftest import event
from tests.store.derived import KEEPERS, WRONG, disagreements, keepers

HOURS = "08:30-12:30;13:30-17:30"
PARTNERS, BATCHES = 9, 15
"""So many partners, and so many batches of events beside the files of a round."""

STAGES = ("reading", "copying", "beside the lines", "before the ledger", "some are in", "all are in")
"""When the server ends: while files are read and copied, while COPY goes on in the table itself, in the trigger that
looks for lines beside the new ones, when all is written but the ledger, when one file is said to be taken, and all."""

AT_LEAST = {"some are in": 1, "all are in": 4}
"""So many files have been said to be taken by then."""

WAITING = """
    select count(*) from pg_stat_activity
    where application_name = 'rollouts-import' and wait_event_type = 'Lock' and state = 'active'
"""
Cells = dict[str, str]
Fact = tuple[str, datetime, datetime | None]
"""What it says, since when it is known, and since when it says that."""


def moment(of_round: int) -> datetime:
    return datetime(2026, 3, 1 + of_round, 12, tzinfo=UTC)


@dataclass
class Kind:
    """One kind of file: how many rows a round brings that are new, how many it corrects, and what is true."""

    kind: FactKind
    new: int
    told: str
    known: dict[str, Fact] = field(default_factory=dict)

    def rows(self, of_round: int) -> list[Cells]:
        """The new rows of a round, and some of the rounds before that say something else."""
        fresh = [self._row(f"{of_round}-{number}", of_round, of_round) for number in range(self.new)]
        again = [self._row(name, int(name.partition("-")[0]), of_round) for name in list(self.known)[of_round::7]]
        return [*again, *fresh]

    def after(self, rows: Iterable[Cells], of_round: int) -> dict[str, Fact]:
        """What is true once these rows are in."""
        found = dict(self.known)
        for row in rows:
            name = row["source_id"]
            old = found.get(name)
            found[name] = (row[self.told], old[1] if old else moment(of_round), moment(of_round) if old else None)
        return found

    async def stored(self, conn: asyncpg.Connection) -> dict[str, Fact]:
        table = KINDS[self.kind].table
        rows = await conn.fetch(
            f"select source_id, {self.told}::text, known_at, amended_at from {table} where source_system = 'erp'"  # noqa: S608
        )
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def _row(self, name: str, begun: int, of_round: int) -> Cells:
        number = int(name.partition("-")[2])
        partner = f"p{(number + of_round) % PARTNERS}"
        begins = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=7 * begun, minutes=7 * number)
        said = {"source_id": name, "partner_id": partner}
        if self.kind is FactKind.TRANSACTIONS:
            # Every third transaction is two lines; a correction may move a line to another transaction.
            line = number - number % 2 if number % 3 == 0 else number
            shared = f"{begun}-{line if of_round % 2 == begun % 2 else line + 1}"
            return said | {
                "partner_id": f"p{number % PARTNERS}",
                "transaction_id": shared,
                "credit_share": "0.3",
                "kind": "sale",
                "transaction_date": f"{begins:%Y-%m-%d}",
                "net_amount": f"{100 + of_round}.0000",
                "currency": "USD",
            }
        if self.kind is FactKind.COSTS:
            return said | {
                "kind": "product",
                "amount": f"{of_round}.5000",
                "currency": "USD",
                "recognised_on": f"{begins:%Y-%m-%d}",
            }
        if self.kind is FactKind.LEADS:
            contacted = begins + timedelta(hours=of_round + 1)
            return said | {
                "partner_id": f"p{number % PARTNERS}",
                "assigned_at": begins.isoformat(),
                "first_contact_at": contacted.isoformat() if number % 4 else "",
                "rejected_reason": "",
                "class": f"class {of_round}",
            }
        return said | {
            "currency": "USD",
            "registered_at": begins.isoformat(),
            "closed_at": (begins + timedelta(days=3)).isoformat(),
            "outcome": "won",
            "amount": f"{of_round + 10}.0000",
        }


@dataclass
class Scene:
    """A server of the test's own, the files that go in, and what is known to be there."""

    server: EmbeddedPostgres
    folder: Path
    kinds: tuple[Kind, ...] = (
        Kind(FactKind.TRANSACTIONS, 500, "net_amount"),
        Kind(FactKind.COSTS, 500, "amount"),
        Kind(FactKind.LEADS, 120, "class"),
        Kind(FactKind.OPPORTUNITIES, 300, "amount"),
    )
    sent: list[list[dict[str, Any]]] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)

    def connected(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        return connection(self.server.dsn)

    async def bring(self, kind: FactKind, rows: list[Cells], of_round: int, **more: Any) -> ImportReport:
        file = self.folder / f"{of_round}-{kind}.csv"
        with file.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        fields = "".join(f"  {name}: {name}\n" for name in rows[0])
        mapping = parse_mapping(f"kind: {kind}\nsource_system: erp\nfields:\n{fields}")
        # The way that `rollouts data import` takes.
        return await import_file(self.server.dsn, kind, file, mapping, imported_at=moment(of_round), **more)

    async def begin(self) -> None:
        await migrate(self.server.dsn)
        office = {"source_id": "office", "time_zone": "Europe/Berlin", "public_holidays": "DE", "monday": HOURS}
        await self.bring(FactKind.CALENDARS, [office | {"tuesday": HOURS, "thursday": HOURS}], 0)
        policy = {"source_id": "v1", "policy_version": "v1", "effective_from": "2020-01-01", "accept_within": "60"}
        await self.bring(FactKind.LEAD_POLICIES, [policy | {"contact_within": "480", "pauses": "customer"}], 0)
        names = [f"p{number}" for number in range(PARTNERS)]
        partners = [
            {"source_id": name, "name": name, "calendar_id": "office" if number % 3 else ""}
            for number, name in enumerate(names)
        ]
        await self.bring(FactKind.PARTNERS, partners, 0)

    def batch(self, number: int) -> list[dict[str, Any]]:
        """Events beside the files, of another source; each third corrects the one before."""
        sale = {"kind": "sale", "transaction_date": "2026-02-01", "net_amount": number, "currency": "USD"}
        lead = event("lead.assigned", f"lead {number}", "2026-02-02T10:00:00Z", source="live", partner_id="p1")
        # The subject and the id of a line, and which version of it.
        of, version = (number - 1, 2) if number % 3 == 2 else (number, 1)
        said = {"partner_id": f"p{number % PARTNERS}", "transaction_id": f"t{number // 2}", "credit_share": 0.3}
        line: dict[str, Any] = {"id": f"sale {of}", "version": version, **sale, **said}
        return [event("transaction.recorded", f"sale {of}", source="live", **line), lead]

    async def send(self, numbers: Iterable[int]) -> None:
        async with await create_pool(self.server.dsn, max_size=2) as pool:
            for number in numbers:
                if number >= len(self.sent):
                    self.sent.append(self.batch(number))
                await take(pool, "live", read_batch(json.dumps(self.sent[number])), "key")
                self.acknowledged.add(number)

    async def check_events(self, conn: asyncpg.Connection) -> None:
        """What was said to be taken is there; of the last batch all or nothing."""
        kept = {
            row[0] for row in await conn.fetch("select subject || ' ' || event_id || ' ' || version from fact_event")
        }
        for number, batch in enumerate(self.sent):
            there = [f"{one['subject']} {one['id']} {one.get('version', 1)}" in kept for one in batch]
            assert all(there) or not any(there)
            assert all(there) or number not in self.acknowledged


@asynccontextmanager
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
    try:
        yield conn
    finally:
        conn.terminate()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    directory = temporary_directory("partner-rollouts-crashes-")
    try:
        # Not `fast`: what is committed is on the disk.
        async with EmbeddedPostgres(directory / "postgres", settings={"autovacuum": "off"}) as server:
            yield Scene(server, tmp_path)
    finally:
        shutil.rmtree(directory)


async def until(condition: Any, conn: asyncpg.Connection) -> None:
    async with asyncio.timeout(120):
        while not await condition(conn):  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.01)


async def end_at(
    scene: Scene, stage: str, of_round: int, rows: dict[FactKind, list[Cells]], look: asyncpg.Connection
) -> list[asyncio.Task[ImportReport]]:
    """Begin the imports of a round, and end the server when they have come as far as the stage says."""
    read = asyncio.Event()

    async def waiting(conn: asyncpg.Connection) -> bool:
        least = len(scene.kinds) if stage == "before the ledger" else 1
        return int(await conn.fetchval(WAITING)) >= least

    async with connection(scene.server.dsn) as holder:
        await holder.execute("begin")
        if stage == "copying":
            # The same key as one in the middle of a file.
            await holder.execute(
                "insert into opportunity (source_system, source_id, partner_id, currency, known_at)"
                " values ('erp', $1, 'p1', 'USD', now())",
                f"{of_round}-200",
            )
        elif stage == "beside the lines":
            await holder.execute("select pg_advisory_xact_lock(hashtext('shared lines'), hashtext('erp'))")
        elif stage == "before the ledger":
            await holder.execute("lock table intake_run in share mode")
        tasks = [
            asyncio.create_task(scene.bring(kind, some, of_round, progress=lambda *_: read.set()))
            for kind, some in rows.items()
        ]
        if stage == "reading":
            await asyncio.wait_for(read.wait(), 120)
        elif stage == "some are in":
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        elif stage == "all are in":
            await asyncio.wait(tasks)
        else:
            await until(waiting, look)
        await scene.server.crash()
        holder.terminate()
    return tasks


@pytest.mark.timeout(300)
async def test_a_server_that_is_ended_by_force_leaves_facts_and_all_that_is_kept_of_them_whole(scene: Scene) -> None:
    await scene.begin()
    for of_round, stage in enumerate(STAGES, 1):
        rows = {one.kind: one.rows(of_round) for one in scene.kinds}
        numbers = range(len(scene.sent), len(scene.sent) + BATCHES)
        async with scene.connected() as look:
            sending = asyncio.create_task(scene.send(numbers))
            tasks = await end_at(scene, stage, of_round, rows, look)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(sending, return_exceptions=True)
        assert sum(isinstance(one, ImportReport) for one in ended) >= AT_LEAST.get(stage, 0), ended
        await scene.server.start()

        async with scene.connected() as conn:
            await scene.check_events(conn)
            assert await disagreements(conn) == {}
            for one, end in zip(scene.kinds, ended, strict=True):
                after = one.after(rows[one.kind], of_round)
                stored = await one.stored(conn)
                runs = await conn.fetchval(
                    "select count(*) from intake_run where kind = $1 and imported_at = $2", one.kind, moment(of_round)
                )
                # All of a file and its row in the ledger, or neither; what was said to be taken is there.
                assert stored == (after if runs else one.known)
                assert runs <= 1
                assert isinstance(end, ImportReport | Exception)
                assert runs or not isinstance(end, ImportReport)
                # The same again.
                report = await scene.bring(one.kind, rows[one.kind], of_round)
                new, changed = len(after.keys() - one.known.keys()), len(rows[one.kind]) - one.new
                expected = (0, 0, new + changed) if runs else (new, changed, 0)
                assert (report.inserted, report.updated, report.unchanged) == expected
                one.known = after
                assert await one.stored(conn) == after
            await scene.send(numbers)
            begins = datetime(2026, 1, 5, 1, tzinfo=UTC) + timedelta(days=7 * of_round)
            pause = {"source_id": f"{of_round}", "lead_id": f"{of_round}-1", "paused_at": begins.isoformat()}
            await scene.bring(FactKind.LEAD_PAUSES, [pause | {"reason": "customer"}], of_round)
            assert len(scene.acknowledged) == len(scene.sent) == of_round * BATCHES
    async with scene.connected() as conn:
        await scene.check_events(conn)
        assert await disagreements(conn) == {}
        # Nothing is kept that is not looked at, and each look finds what is wrong.
        assert await keepers(conn) == KEEPERS
        for name, wrong in WRONG:
            async with rolled_back(conn):
                await conn.execute("set local session_replication_role = replica")
                await conn.execute(wrong)
                assert await disagreements(conn, name), wrong


@asynccontextmanager
async def rolled_back(conn: asyncpg.Connection) -> AsyncIterator[None]:
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()
