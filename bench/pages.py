"""Pages a second and their p95, inbox and rollout page, against a static page as large from the same server."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import asyncpg

from bench.figures import Comparison, Findings, p95
from bench.ground import Ground
from bench.paged import STATIC
from bench.rollouts import gated, world
from bench.workers import environment, worker_process
from console.gateway import Gateway
from console.guard import SESSION
from deploy.embedded.temporal import EmbeddedTemporal
from models.plan import RolloutPlan
from models.rollout import Awaited
from models.work import OpenRequest, RolloutKey
from store import rollouts
from store.pool import Connection, create_pool
from store.rollouts import StoredRollout
from store.sessions import Holder, open_session

AGAINST = "a static page of the same size from the same server, no session read"
READERS = 4
"""Connections that ask side by side, each as soon as it has its answer."""

MOST_ASKED = 20
"""Rollouts that are there for the rollout page: a worker has each in its cache."""


class Size(NamedTuple):
    """Rollouts in the store, their owners, and pages of each kind in each round; static ones are ten times as many."""

    rollouts: int
    owners: int
    pages: int
    rounds: int


class Ask(NamedTuple):
    """A page, and whose session asks for it."""

    path: str
    secret: str


class Server(NamedTuple):
    """Where the service is, and who says there who somebody is."""

    host: str
    issuer: str


class Took(NamedTuple):
    """All pages of a round: pages a second, and the milliseconds that 95 of 100 stay below."""

    rate: float
    p95: float


async def run(ground: Ground) -> Findings:
    """Rollouts at their first gate, nearly all in the store alone; those whose page is asked for are workflows too."""
    size = Size(60, 10, 8, 1) if ground.quick else Size(5000, 100, 200, 3)
    dsn = await world(ground)
    async with (
        await create_pool(dsn) as pool,
        ground.temporal() as (temporal, client),
        worker_process(ground, temporal, dsn),
    ):
        count = 2 if ground.quick else MOST_ASKED
        ground.tell(f"taking {count} rollouts to their first gate")
        real = [one.plan.id for one in await gated(Gateway(client), pool, "page", count)]
        async with pool.acquire() as conn:
            row = await conn.fetchrow("select rollout_id, chain_id from rollout where rollout_id = $1", real[0])
            (like,) = await rollouts.read_rollouts(conn, [RolloutKey(**dict(row or {}))])
            ground.tell(f"{size.rollouts:,} rollouts of {size.owners} owners")
            await _fill(conn, like, size)
        async with _service(temporal, dsn) as server:
            secrets = await _sessions(pool, server.issuer, size.owners)
            asked = {
                "inbox": [Ask("/", secrets[n % len(secrets)]) for n in range(size.pages)],
                "rollout page": [
                    Ask(f"/rollouts/{real[n % count]}", secrets[n % len(secrets)]) for n in range(size.pages)
                ],
            }
            found = [one for what, asks in asked.items() for one in await _compare(ground, server, what, asks, size)]
    return Findings(comparisons=tuple(found))


def _owner(number: int) -> str:
    return f"owner-{number}@example.com"


def _like(one: StoredRollout, number: int, owners: int) -> tuple[RolloutPlan, tuple[Awaited, ...]]:
    """The same rollout with owners of its own, a part of all there are, and the same roles awaited."""
    whose = {owner.identity: _owner((number + place * 17) % owners) for place, owner in enumerate(one.plan.owners)}
    changed = tuple(owner.model_copy(update={"identity": whose[owner.identity]}) for owner in one.plan.owners)
    plan = one.plan.model_copy(update={"id": f"paged-{number}", "owners": changed})
    awaited = tuple(
        waits.model_copy(update={"who": tuple(whose[who] for who in waits.who)}) for waits in one.standing.awaited
    )
    return plan, awaited


async def _fill(conn: Connection, like: StoredRollout, size: Size) -> None:
    async with conn.transaction():
        for number in range(size.rollouts):
            plan, awaited = _like(like, number, size.owners)
            key = RolloutKey(rollout_id=plan.id, chain_id="bench")
            opened = OpenRequest(key=key, plan=plan, plan_digest=plan.digest, clock=like.clock)
            await rollouts.open_rollout(conn, opened)
            standing = like.standing.model_copy(update={"awaited": awaited})
            await rollouts.update_standing(conn, key, standing, 1)
    await conn.execute("vacuum analyze rollout")


async def _sessions(pool: asyncpg.Pool[asyncpg.Record], issuer: str, owners: int) -> list[str]:
    """The secrets of sessions of all owners, as if they had just signed in."""
    async with pool.acquire() as conn:
        return [
            await open_session(conn, Holder(issuer, who, who, who, int(time.time()), ("dev",)))
            for who in map(_owner, range(owners))
        ]


async def _compare(ground: Ground, server: Server, what: str, asks: Sequence[Ask], size: Size) -> list[Comparison]:
    """Both in each round, ours first; a round before them warms both up, and says how large the page is."""
    _, sizes = await _take(server.host, asks[: max(READERS, len(asks) // 4)])
    bytes_ = int(median(sizes))
    static = [Ask(f"{STATIC}/{bytes_}", asks[0].secret)] * (10 * len(asks))
    await _take(server.host, static[: len(asks)])
    ground.tell(f"{what}: {bytes_:,} bytes, {len(asks)} of them, {READERS} at a time, {size.rounds} rounds")
    rounds = [((await _take(server.host, asks))[0], (await _take(server.host, static))[0]) for _ in range(size.rounds)]
    ours, theirs = zip(*rounds, strict=True)
    return [
        Comparison(
            what=f"{what}, {bytes_ / 1024:.0f} KiB",
            unit="pages/s",
            ours=tuple(one.rate for one in ours),
            against=AGAINST,
            theirs=tuple(one.rate for one in theirs),
        ),
        Comparison(
            what=f"{what}, p95",
            unit="ms",
            ours=tuple(one.p95 for one in ours),
            against=AGAINST,
            theirs=tuple(one.p95 for one in theirs),
        ),
    ]


async def _take(host: str, asks: Sequence[Ask]) -> tuple[Took, list[int]]:
    """Ask for all of them, a few at a time; how long it took, and the bytes of each page."""
    left = iter(asks)
    took: list[float] = []
    sizes: list[int] = []

    async def reader() -> None:
        name, _, port = host.rpartition(":")
        stream, sink = await asyncio.open_connection(name, int(port))
        for ask in left:
            began = time.perf_counter()
            sizes.append(len(await _page(stream, sink, host, ask)))
            took.append((time.perf_counter() - began) * 1000)
        sink.close()
        await sink.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(reader() for _ in range(READERS)))
    return Took(len(asks) / (time.perf_counter() - began), p95(took)), sizes


async def _page(stream: asyncio.StreamReader, sink: asyncio.StreamWriter, host: str, ask: Ask) -> bytes:
    """One page, by hand: a client's own work would be most of what a static page costs.

    Raises:
        RuntimeError: it is no page.
    """
    sink.write(f"GET {ask.path} HTTP/1.1\r\nhost: {host}\r\ncookie: {SESSION}={ask.secret}\r\n\r\n".encode())
    head = await stream.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head, re.IGNORECASE)
    if not head.startswith(b"HTTP/1.1 200 ") or length is None:
        raise RuntimeError(f"{ask.path} is no page: {head[:300].decode(errors='replace')}")
    return await stream.readexactly(int(length[1]))


@asynccontextmanager
async def _service(temporal: EmbeddedTemporal, dsn: str) -> AsyncIterator[Server]:
    """The service as a process of its own, as it is in use."""
    # -P: a folder named console where the command is typed is not ours. Only bench itself is found from where it lies.
    found = environment(temporal, dsn) | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "bench.paged", env=found, stdout=asyncio.subprocess.PIPE
    )
    try:
        if service.stdout is None:
            raise RuntimeError("the service has no output")
        told = (await asyncio.wait_for(service.stdout.readline(), 60)).decode().split()
        yield Server(*told)
    finally:
        if service.returncode is None:
            service.send_signal(signal.SIGTERM)
        await asyncio.wait_for(service.wait(), 60)
