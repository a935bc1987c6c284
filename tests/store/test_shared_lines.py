"""Where lines lie that share a transaction with others: never less than the lines say, whoever writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from random import Random

import asyncpg
import pytest

from models.metric import MetricName
from tests.store.desk import SALE_HEADER, SALES, Desk
from tests.store.world import LONG_KNOWN, World, at, day

MARGIN = MetricName.CONTRIBUTION_MARGIN
PARTNERS = tuple("abcd")
INSERT = """
insert into partner_transaction (source_system, source_id, transaction_id, partner_id, kind, transaction_date,
                                 net_amount, currency, known_at)
select 'test', source_id, transaction_id, partner_id, 'sale', transaction_date, 1, 'USD', $5
from unnest($1::text[], $2::text[], $3::text[], $4::date[])
    as line (source_id, transaction_id, partner_id, transaction_date)
on conflict do nothing
"""
MOVE = """
update partner_transaction set transaction_id = $2, transaction_date = $3, amended_at = $4 where source_id = $1
"""
BUSY = "select wait_event_type = 'Lock' from pg_stat_activity where pid = $1 and state = 'active'"

Line = tuple[str, str, str, date]


@pytest.fixture
async def conns(database: str) -> AsyncIterator[list[asyncpg.Connection]]:
    conns = [await asyncpg.connect(database, server_settings={"timezone": "UTC"}) for _ in range(5)]
    for partner in PARTNERS:
        await World(conns[0]).add("partner", partner_id=partner)
    yield conns
    for conn in conns:
        await conn.close()


async def write(conn: asyncpg.Connection, *lines: Line) -> None:
    await conn.execute(INSERT, *(list(one) for one in zip(*lines, strict=True)), LONG_KNOWN)


async def kept(conn: asyncpg.Connection, of: str = "shared_line") -> set[tuple[object, ...]]:
    """Partner, transaction and date."""
    return {tuple(row) for row in await conn.fetch(f"select partner_id, transaction_id, transaction_date from {of}")}  # noqa: S608


async def said(conn: asyncpg.Connection) -> set[tuple[object, ...]]:
    return await kept(conn, "shared_lines()")


def line(partner: str, transaction: str, on: str = "2026-02-01") -> Line:
    return f"{transaction}-{partner}", transaction, partner, day(on)


async def until_it_waits_or_ends(conn: asyncpg.Connection, other: asyncpg.Connection, task: asyncio.Task[None]) -> bool:
    """Whether it waits."""
    async with asyncio.timeout(60):
        while not task.done():
            if await conn.fetchval(BUSY, other.get_server_pid()):
                return True
            await asyncio.sleep(0.01)
    return False


async def test_a_line_alone_stands_nowhere_and_one_beside_it_brings_both(conns: list[asyncpg.Connection]) -> None:
    await write(conns[0], line("a", "t"), line("a", "u"), line("b", "v"))
    assert await kept(conns[0]) == set()
    await write(conns[0], line("b", "t", "2026-03-01"))
    assert await kept(conns[0]) == {("a", "t", day("2026-02-01")), ("b", "t", day("2026-03-01"))}


async def test_two_that_come_by_one_statement_stand_there(conns: list[asyncpg.Connection]) -> None:
    await write(conns[0], line("a", "t"), line("b", "t"), line("c", "u"))
    assert await kept(conns[0]) == await said(conns[0]) != set()


@pytest.mark.parametrize(
    ("moves", "stands"),
    [
        ("partner_id = 'c'", ("c", "t", day("2026-02-01"))),
        ("transaction_date = '2026-03-05'", ("b", "t", day("2026-03-05"))),
        ("transaction_id = 'u'", ("b", "u", day("2026-02-01"))),
    ],
)
async def test_a_line_that_moves_stands_where_it_was_and_where_it_is(
    conns: list[asyncpg.Connection], moves: str, stands: tuple[object, ...]
) -> None:
    """To another partner, to another date, or beside the line of another transaction; by itself."""
    await write(conns[0], line("a", "t"), line("b", "t"), line("d", "u"))
    before = await kept(conns[0])
    assert len(before) == 2
    move = f"update partner_transaction set {moves}, amended_at = '2026-03-01Z' where source_id = 't-b'"  # noqa: S608
    await conns[0].execute(move)
    beside = {("d", "u", day("2026-02-01"))} if "u" in stands else set()
    assert await kept(conns[0]) == before | {stands} | beside == await said(conns[0])


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_written_and_corrected_it_is_never_less_than_what_lines_say(
    conns: list[asyncpg.Connection], seed: int
) -> None:
    chance, sources = Random(seed), list[str]()
    expected: set[tuple[object, ...]] = set()
    for step in range(120):
        on = day("2026-01-01") + timedelta(days=chance.randrange(90))
        if not sources or chance.random() < 0.6:
            some = [
                (f"{step}-{number}", f"t{chance.randrange(40)}", chance.choice(PARTNERS), on)
                for number in range(chance.choice((1, 1, 1, 7)))
            ]
            await write(conns[0], *some)
            sources += [source for source, *_ in some]
        else:
            # Where the new key is another line's it stays as it was.
            moment = at("2026-01-01") + timedelta(hours=step)
            try:
                await conns[0].execute(MOVE, chance.choice(sources), f"t{chance.randrange(40)}", on, moment)
            except asyncpg.UniqueViolationError:
                continue
        expected |= await said(conns[0])
        assert await kept(conns[0]) == expected


async def test_whoever_writes_a_line_of_the_same_transaction_at_the_same_time_is_waited_for(
    conns: list[asyncpg.Connection],
) -> None:
    look, one, other, *_ = conns
    begun = one.transaction()
    await begun.start()
    await write(one, line("a", "t"))
    writing = asyncio.create_task(write(other, line("b", "t")))
    assert await until_it_waits_or_ends(look, other, writing)
    await begun.commit()
    await writing
    assert await kept(look) == {("a", "t", day("2026-02-01")), ("b", "t", day("2026-02-01"))}


@pytest.mark.parametrize("how", ["rolled back", "its connection ends"])
async def test_of_what_is_not_committed_nothing_stays(conns: list[asyncpg.Connection], how: str) -> None:
    look, one, other, *_ = conns
    begun = one.transaction()
    await begun.start()
    await write(one, line("a", "t"), line("a", "u"), line("b", "u"))
    writing = asyncio.create_task(write(other, line("b", "t")))
    assert await until_it_waits_or_ends(look, other, writing)
    if how == "rolled back":
        await begun.rollback()
    else:
        await look.execute("select pg_terminate_backend($1)", one.get_server_pid())
    await writing
    assert await kept(look) == await said(look) == set()
    await write(look, line("c", "t"))
    assert await kept(look) == {("b", "t", day("2026-02-01")), ("c", "t", day("2026-02-01"))}


async def test_many_who_write_at_once_miss_none(conns: list[asyncpg.Connection]) -> None:
    """Each transaction has a line by three of them, in another order by each."""

    async def work(conn: asyncpg.Connection, partner: str, seed: int) -> None:
        lines = [line(partner, f"t{number}") for number in range(60) if number % 4 != seed]
        Random(seed).shuffle(lines)
        while lines:
            some, lines = lines[: 1 + seed], lines[1 + seed :]
            await write(conn, *some)

    writers = zip(conns, PARTNERS, range(4), strict=False)
    await asyncio.gather(*(work(conn, partner, seed) for conn, partner, seed in writers))
    assert len(await kept(conns[0])) == 180
    assert await kept(conns[0]) == await said(conns[0])


async def test_who_goes_on_reading_what_was_at_the_beginning_may_write_no_lines(
    conns: list[asyncpg.Connection],
) -> None:
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="read committed"):
        async with conns[0].transaction(isolation="repeatable_read"):
            await write(conns[0], line("a", "t"))
    async with conns[0].transaction(isolation="repeatable_read"):
        await conns[0].execute("update partner_transaction set net_amount = 2")


async def test_what_a_file_brings_stands_there(desk: Desk) -> None:
    await desk.partners("p", "q")
    lines = "1;1;p;0,5;S;05.01.2025;10\n1;1;q;0,5;S;05.01.2025;10\n2;1;q;1;S;05.01.2025;10\n"
    await desk.load(SALES, SALE_HEADER + lines)
    assert await kept(desk.conn) == {("p", "1-1", day("2025-01-05")), ("q", "1-1", day("2025-01-05"))}
    await desk.load(SALES, SALE_HEADER + lines + "2;2;p;1;S;05.01.2025;10\n")
    assert await kept(desk.conn) == await said(desk.conn)


async def test_a_line_that_has_moved_is_credited_twice_as_of_when_it_had_not(world: World) -> None:
    """Whoever comes beside what a line said before finds it, although it says something else by now."""
    await world.add(
        "partner_transaction", partner_id="a", net_amount=9, transaction_date=day("2026-02-01"), source_id="t"
    )
    await world.amend("partner_transaction", "t", "2026-03-01", transaction_id="u", transaction_date=day("2026-02-09"))
    await world.add(
        "partner_transaction", partner_id="b", net_amount=9, transaction_date=day("2026-02-03"), transaction_id="t"
    )
    for partner in ("a", "b"):
        before = await world.reading(MARGIN, partner, as_of=at("2026-02-20"))
        assert (before.parts["over_credited"], before.facts) == (1, 1)
        assert (await world.reading(MARGIN, partner)).parts["over_credited"] == 0
