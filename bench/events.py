"""Events a second by HTTP, in batches, against bare multi-row INSERTs of as many facts into the same keyed table."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias

import asyncpg
import httpx

from bench.figures import Comparison, Findings
from bench.ground import Ground
from bench.rollouts import BEGIN
from store.events.keys import add_key

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

BATCH = 1000
PARTNERS = 240
SENDERS = 2
"""Batches that are on their way side by side, on either side."""

_MEDIA = "application/cloudevents-batch+json"
_PARTNERS = """
insert into partner (partner_id, name, source_system, source_id, known_at)
select 'P' || number, 'Partner ' || number, 'bench', 'P' || number, now() from generate_series(1, $1) as number
"""
# Keys, checks, indexes and the reference to partners are the lead's.
_BARE = """
create table bare_lead (like lead including all);
alter table bare_lead add foreign key (partner_id) references partner (partner_id)
"""
_COLUMNS = ("source_system", "source_id", "partner_id", "class", "assigned_at", "contact_due_at", "known_at")
_ROW = len(_COLUMNS)
_VALUES = ", ".join(f"({', '.join(f'${row * _ROW + place + 1}' for place in range(_ROW))})" for row in range(BATCH))
_INSERT = f"insert into bare_lead ({', '.join(_COLUMNS)}) values {_VALUES}"  # noqa: S608 - our own names


async def run(ground: Ground) -> Findings:
    """The service is a process of its own, as it is in use; batches are spelled before the clock starts, rows too."""
    batches, rounds = (2, 1) if ground.quick else (40, 3)
    dsn = await ground.database()
    ground.tell(f"{batches} batches of {BATCH:,} events, {SENDERS} on their way at a time; {rounds} rounds of each way")
    async with asyncpg.create_pool(dsn, min_size=SENDERS, max_size=SENDERS) as pool:
        await pool.execute(_BARE)
        await pool.execute(_PARTNERS, PARTNERS)
        async with pool.acquire() as conn:
            key = await add_key(conn, "bench", "bench")
        async with _service(dsn) as address, httpx.AsyncClient(base_url=address) as client:
            post = _poster(client, key)
            seconds: dict[str, list[float]] = {name: [] for name in ("bare", "assigned", "contacted", "again")}
            for round_ in range(rounds):
                numbers = [range(first * BATCH, (first + 1) * BATCH) for first in range(batches)]
                rows = [[value for number in some for value in _row(round_, number)] for some in numbers]
                assigned = [_body([_assigned(round_, number) for number in some]) for some in numbers]
                contacted = [_body([_contacted(round_, number) for number in some]) for some in numbers]
                await pool.execute("truncate bare_lead")
                seconds["bare"].append(await _timed(partial(pool.execute, _INSERT), rows))
                for name, bodies in (("assigned", assigned), ("contacted", contacted), ("again", assigned)):
                    seconds[name].append(await _timed(post, [(body,) for body in bodies]))
            await _check(pool, rounds * batches * BATCH)
    events = batches * BATCH

    def compare(what: str, name: str) -> Comparison:
        mine, bare = (tuple(events / 1000 / taken for taken in seconds[way]) for way in (name, "bare"))
        return Comparison(what=what, unit="1000 events/s", ours=mine, against=_AGAINST, theirs=bare, note=_NOTES[name])

    return Findings(
        comparisons=(
            compare("new leads", "assigned"),
            compare("contacts of those leads", "contacted"),
            compare("the same events again", "again"),
        )
    )


_AGAINST = f"bare multi-row INSERT, {BATCH} rows a statement, asyncpg, same keys and indexes"
_NOTES = {"assigned": "our bar is 0.3x", "contacted": "", "again": ""}


async def _timed(send: Callable[..., Awaitable[Any]], batches: Sequence[Sequence[Any]]) -> float:
    """Seconds for all batches, a few of them at a time."""
    left = iter(batches)

    async def sender() -> None:
        for batch in left:
            await send(*batch)

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return time.perf_counter() - began


def _poster(client: httpx.AsyncClient, key: str) -> Callable[[bytes], Awaitable[None]]:
    headers = {"content-type": _MEDIA, "authorization": f"Bearer {key}"}

    async def post(body: bytes) -> None:
        told = await client.post("/v1/events", content=body, headers=headers, timeout=60)
        if told.status_code != 200:
            raise RuntimeError(f"a batch was not taken: {told.status_code} {told.text[:300]}")

    return post


async def _check(pool: Pool, expected: int) -> None:
    """Every event became what it should: a figure for less work would mean nothing."""
    found = await pool.fetchval("select count(*) from lead where first_contact_at is not null")
    if found != expected:
        raise RuntimeError(f"{found} leads with a contact, not {expected}")


@asynccontextmanager
async def _service(dsn: str) -> AsyncIterator[str]:
    """`rollouts serve` on a free port; its address."""
    service = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from cli.main import main; main()",
        "serve",
        "--bind",
        "127.0.0.1:0",
        env={**os.environ, "ROLLOUTS_DATABASE_DSN": dsn},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        if service.stdout is None:
            raise RuntimeError("the service has no output")
        told = (await asyncio.wait_for(service.stdout.readline(), 60)).decode()
        yield told.removeprefix("Listening at ").strip()
    finally:
        if service.returncode is None:
            service.send_signal(signal.SIGTERM)
        await asyncio.wait_for(service.wait(), 60)


def _row(round_: int, number: int) -> tuple[Any, ...]:
    assigned = BEGIN + number * timedelta(minutes=5)
    return ("bench", f"L{round_}-{number}", _partner(number), "hot", assigned, assigned + timedelta(hours=24), assigned)


def _assigned(round_: int, number: int) -> dict[str, Any]:
    _, _, partner, kind, at, due, _ = _row(round_, number)
    data = {"partner_id": partner, "class": kind, "contact_due_at": due.isoformat()}
    return _event(round_, number, "lead.assigned", at.isoformat(), data)


def _contacted(round_: int, number: int) -> dict[str, Any]:
    at = BEGIN + number * timedelta(minutes=5) + timedelta(hours=1 + number % 26)
    return _event(round_, number, "lead.contacted", at.isoformat(), {})


def _event(round_: int, number: int, type_: str, at: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{type_}-{round_}-{number}",
        "source": "bench",
        "type": type_,
        "subject": f"L{round_}-{number}",
        "time": at,
        "data": data,
    }


def _partner(number: int) -> str:
    return f"P{number % PARTNERS + 1}"


def _body(events: list[dict[str, Any]]) -> bytes:
    return json.dumps(events).encode()
