"""One set of embedded servers with a worker, and the real `rollouts` program to drive it with."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import pty
import shutil
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import asyncpg
import pytest

from cli.connect import open_gateway
from cli.home import Place
from cli.main import run
from console.gateway import Gateway
from deploy.embedded.stack import EmbeddedStack
from models.command import Choice, Verb
from models.log import Outcome
from models.plan import RolloutPlan
from models.rollout import RolloutView, Status
from store.migrate import migrate
from store.pool import create_pool
from tests.claimed import claimed
from tests.facts import seed_facts
from tests.memory import server_directory
from tests.plans import make_plan
from tests.rest import at_rest
from tests.worker.process import patiently
from workflows.attributes import SEARCH_ATTRIBUTES

PROGRAM = Path(sys.executable).with_name("rollouts")
FACTS_FROM, FACTS_TO = datetime(2025, 9, 1, tzinfo=UTC).date(), datetime(2026, 8, 1, tzinfo=UTC).date()
START = datetime(2026, 1, 5, tzinfo=UTC)
PATIENCE = 120.0

OURS = {
    name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "ROLLOUTS_", "PG", "COV"))
}
"""Our environment without what could lead to other servers. Read once: while a command runs in this process the
environment is that command's, and another one that is typed meanwhile would read it half changed."""

SHORT_RUNS = {
    "limit.historyCount.suggestContinueAsNew": 120,
    "history.transferProcessorUpdateAckInterval": "100ms",
    "history.visibilityProcessorUpdateAckInterval": "100ms",
}
"""So that every rollout here soon continues as new, as others do after months, and a run that is deleted is gone at
once."""


@dataclass(frozen=True)
class Told:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Its stdout, which must be one JSON document and nothing else."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def data(self) -> Any:
        return self.document["data"]


@dataclass(frozen=True)
class Terminal:
    """Somebody who types `rollouts` commands; `folder` is where, `home` holds the servers."""

    folder: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        """Ours, and which servers `home` holds."""
        return OURS | {"HOME": str(self.folder), "ROLLOUTS_HOME": str(self.home)} | self.variables | more

    async def start(self, *words: str, **variables: str) -> asyncio.subprocess.Process:
        """A command that goes on beside the test."""
        return await asyncio.create_subprocess_exec(
            PROGRAM,
            *words,
            cwd=self.folder,
            env=self.environment(**variables),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def program(self, *words: str, **variables: str) -> Told:
        """Type a command, and wait for what it says."""
        return await finished(await self.start(*words, **variables))

    async def __call__(self, *words: str, **variables: str) -> Told:
        """The same without a process of its own, which is most of what a command costs."""
        return await asyncio.to_thread(self._run, words, variables)

    def _run(self, words: tuple[str, ...], variables: dict[str, str]) -> Told:
        out, err = io.StringIO(), io.StringIO()
        surroundings = mock.patch.dict(os.environ, self.environment(**variables), clear=True)
        # A command that somebody has been broken off waiting for goes on in its thread.
        assert _alone.acquire(timeout=PATIENCE), f"another command does not end, so {words} cannot be typed"
        try:
            with surroundings, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(list(words))
        finally:
            _alone.release()
        return Told(code, out.getvalue(), err.getvalue())

    async def piped(self, *words: str) -> Piped:
        """A command beside the test whose output is read only as long as the test likes."""
        ours, its = os.pipe()
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *words, cwd=self.folder, env=self.environment(), stdin=asyncio.subprocess.DEVNULL, stdout=its
        )
        os.close(its)
        return Piped(process, ours)

    async def in_a_terminal(self, *words: str) -> asyncio.Task[bytes]:
        """A command whose output is a terminal; the task ends with everything it wrote."""
        ours, its = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *words,
            cwd=self.folder,
            env=self.environment(TERM="xterm-256color", COLUMNS="100", LINES="50"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=its,
            stderr=its,
        )
        os.close(its)
        return asyncio.create_task(_read_all(process, ours))


@dataclass(frozen=True)
class Piped:
    """A command whose output goes into a pipe that somebody may stop to read."""

    process: asyncio.subprocess.Process
    descriptor: int

    async def a_line_and_no_more(self) -> str:
        return await asyncio.to_thread(self._line)

    def _line(self) -> str:
        with open(self.descriptor, encoding="utf-8") as stream:
            return stream.readline()

    async def ended(self) -> int:
        """Its exit code."""
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


_alone = threading.Lock()
"""Environment and standard streams belong to the whole process."""


async def _read_all(process: asyncio.subprocess.Process, descriptor: int) -> bytes:
    found = bytearray()
    while True:
        try:
            chunk = await asyncio.to_thread(os.read, descriptor, 65536)
        except OSError:
            # How a pseudo-terminal says that nobody is left at its other end.
            break
        if not chunk:
            break
        found += chunk
    await process.wait()
    os.close(descriptor)
    return bytes(found)


async def finished(process: asyncio.subprocess.Process) -> Told:
    """What a command said when it has ended."""
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        raise AssertionError(f"it does not end; it said:\n{out.decode()}\n{err.decode()}") from None
    assert process.returncode is not None
    return Told(process.returncode, out.decode(), err.decode())


@pytest.fixture(scope="session")
async def terminal() -> AsyncIterator[Terminal]:
    """Servers and a worker for all tests of this folder, with facts for the test plan. A test that stops any of them
    starts it again."""
    directory = server_directory("partner-rollouts-tests-")
    home = directory / "home"
    typed = Terminal(directory, home)
    stack = EmbeddedStack(home, search_attributes=SEARCH_ATTRIBUTES, dynamic_config=SHORT_RUNS, fast=True)
    try:
        state = await stack.up()
        await migrate(state.dsn)
        async with await create_pool(state.dsn) as pool:
            await seed_facts(pool, FACTS_FROM, FACTS_TO)
        up = await typed("up")
        assert up.code == 0, up.err
        yield typed
    finally:
        await typed("down")
        await stack.down()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
async def world(terminal: Terminal) -> dict[str, Any]:
    """What `data generate` says of the world that it makes beside the test plan's facts; half its usual size."""
    told = await terminal.program("data", "generate", "--seed", "7", "--partners", "120", "-o", "json")
    assert (told.code, told.document["kind"]) == (0, "world"), told.err
    assert "partners, 24 months: 100 %" in told.err
    found: dict[str, Any] = told.data
    return found


@pytest.fixture
def nowhere(tmp_path: Path) -> Terminal:
    """A terminal without any servers."""
    return Terminal(tmp_path, tmp_path / "none")


@pytest.fixture(scope="session")
async def gateway(terminal: Terminal) -> Gateway:
    """A shorter way to the same rollouts, for what a test needs but does not test."""
    return await open_gateway(Place(terminal.home))


@pytest.fixture(scope="session")
async def stores(terminal: Terminal) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """The store itself, for what nobody asks a rollout for."""
    state = Place(terminal.home).state()
    assert state is not None
    async with await create_pool(state.dsn) as pool:
        yield pool


@dataclass(frozen=True)
class Rollout:
    """One running rollout of the test plan, and quick hands to bring it where a test begins."""

    gateway: Gateway
    plan: RolloutPlan

    @property
    def name(self) -> str:
        return self.plan.id

    def who(self, role: str) -> str:
        return self.plan.holders(role)[0].identity

    async def until(self, *wanted: Status) -> RolloutView:
        """Wait until it has one of these statuses."""
        told = ""

        async def look() -> RolloutView | None:
            nonlocal told
            view = await self.gateway.status(self.name)
            told = f"still {view.status}: {view.sentence}"
            return view if view.status in wanted else None

        return await patiently(look, lambda: told)

    async def ask(self, verb: Verb, by: str, reason: str = "because", **fields: Any) -> None:
        receipt = await self.gateway.deliver(self.name, verb, claimed(verb, self.who(by), reason, **fields))
        assert receipt.outcome is Outcome.APPLIED, receipt.message

    async def to_gate(self) -> RolloutView:
        """Everybody confirms; the gate into the pilot opens."""
        for owner in self.plan.owners:
            await self.ask(Verb.CONFIRM_OWNERSHIP, owner.role, role=owner.role)
        return await self.until(Status.AWAITING_APPROVAL)

    async def at_rest(self) -> None:
        """Until nothing is under way: its letters are written, and the log has whatever it told of them."""
        await at_rest(self.gateway.handle(self.name))

    async def to_pilot(self) -> RolloutView:
        gate = (await self.to_gate()).gate
        assert gate is not None
        await self.ask(
            Verb.DECIDE,
            "sponsor",
            gate=gate.key,
            choice=Choice.APPROVE,
            plan_digest=self.plan.digest,
            evidence_digest=gate.digest,
        )
        return await self.until(Status.RUNNING)

    async def looked_at(self) -> RolloutView:
        """Until evidence of the phase it is in has been taken."""

        async def look() -> RolloutView | None:
            view = await self.gateway.status(self.name)
            return view if view.assessment else None

        return await patiently(look, lambda: "nobody ever looks at it")


@pytest.fixture
async def rollout(gateway: Gateway, stores: asyncpg.Pool[asyncpg.Record]) -> Rollout:
    """A rollout that has just been started and that the store knows, in real time from a day within the facts."""
    plan = make_plan(id=f"plan-{uuid4().hex[:8]}")
    assert await gateway.start(plan, START, 1.0)
    found = Rollout(gateway, plan)
    await found.until(Status.RUNNING, Status.HOLDING)

    async def registered() -> str | None:
        chain: str | None = await stores.fetchval("select chain_id from rollout where rollout_id = $1", plan.id)
        return chain

    await patiently(registered, lambda: f"the store never hears of {plan.id}")
    return found


def write_plan(folder: Path, plan: RolloutPlan) -> Path:
    """The plan as a file; JSON is YAML, too."""
    file = folder / f"{plan.id}.yaml"
    file.write_text(plan.model_dump_json(by_alias=True), encoding="utf-8")
    return file
