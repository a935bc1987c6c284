"""A worker as a process of its own: started, measured, stopped or killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import psutil

from bench.ground import Ground
from deploy.embedded.processes import ProcessIdentity, end, is_alive, spawn
from deploy.embedded.temporal import EmbeddedTemporal

START_SECONDS = 60.0
_GRACEFUL = ((signal.SIGTERM, 60.0), (signal.SIGKILL, 10.0))
_numbers = count(1)


class WorkerProcess:
    """One worker; `cpu` are seconds since its start, `memory` bytes that are its alone."""

    def __init__(self, identity: ProcessIdentity, log: Path) -> None:
        self._identity = identity
        self._log = log
        self._process = psutil.Process(identity.pid)

    @property
    def cpu(self) -> float:
        used = self._process.cpu_times()
        return used.user + used.system

    @property
    def memory(self) -> int:
        unshared: int = self._process.memory_full_info().uss
        return unshared

    async def up(self) -> None:
        """Return when it says that it works.

        Raises:
            RuntimeError: it ended, or does not come up.
        """
        async with asyncio.timeout(START_SECONDS):
            while "worker started" not in self._log.read_text(encoding="utf-8"):
                if not is_alive(self._identity):
                    raise RuntimeError(f"the worker ended: {self._log.read_text(encoding='utf-8')[-2000:]}")
                await asyncio.sleep(0.01)

    async def idle(self, *, during: float = 1.0) -> None:
        """Return when it has had next to nothing to do for so many seconds."""
        before = -1.0
        while self.cpu - before > 0.03 * during:
            before = self.cpu
            await asyncio.sleep(during)

    async def stop(self) -> None:
        """End it as an orchestrator does, with time to finish."""
        await end(self._identity, *_GRACEFUL)

    async def kill(self) -> None:
        """End it as a power cut does."""
        await end(self._identity, (signal.SIGKILL, 10.0))


@asynccontextmanager
async def worker_process(
    ground: Ground, server: EmbeddedTemporal, dsn: str, module: str = "worker", *arguments: str
) -> AsyncIterator[WorkerProcess]:
    """A worker on these servers, up; it ends with the block if it has not before.

    Args:
        module: what is run with these arguments.
    """
    log = ground.directory / f"worker-{next(_numbers)}.log"
    # -P: a folder named worker where the command is typed is not ours. Only bench itself is found from where it lies.
    found = environment(server, dsn) | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    worker = WorkerProcess(spawn([sys.executable, "-P", "-m", module, *arguments], log, env=found), log)
    try:
        await worker.up()
        yield worker
    finally:
        await worker.stop()


def environment(server: EmbeddedTemporal, dsn: str) -> dict[str, str]:
    """These servers, and no others that our own environment may name."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "ROLLOUTS_"))}
    return found | {
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "TEMPORAL_ADDRESS": server.address,
        "TEMPORAL_NAMESPACE": server.namespace,
        "ROLLOUTS_DATABASE_DSN": dsn,
        "ROLLOUTS_DECISIONS": "unsigned",
    }
