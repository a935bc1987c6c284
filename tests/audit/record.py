"""Records the bundle of a whole rollout with signed decisions, examples/audit: `python -m tests.audit.record`.

Only once: a bundle that today's code no longer proves is not recorded anew, because auditors keep theirs for years.
"""

from __future__ import annotations

import asyncio
import shutil
import sys

from audit.bundle import zipped
from cli.audit_export import gather
from console.gateway import Gateway
from deploy.embedded.account import temporary_directory
from deploy.embedded.postgres import EmbeddedPostgres
from store.migrate import migrate
from tests.audit.exhibits import EXAMPLE, with_checkpoints
from tests.replay.record import played
from tests.workflows.scenarios_signed import SIGNED


async def record(name: str, dsn: str) -> dict[str, bytes]:
    """Play a path, and export its bundle; the checkpoints are signed with the tests' key."""
    await migrate(dsn)
    async with played(SIGNED[name], dsn) as (live, pool), pool.acquire() as conn:
        found = await gather(conn, Gateway(live.client), live.plan.id)
    return with_checkpoints(found.files)


async def main(name: str = "signed") -> None:
    if EXAMPLE.exists():
        sys.exit(f"{EXAMPLE} is recorded already; a recorded bundle is not replaced")
    directory = temporary_directory("partner-rollouts-record-")
    try:
        async with EmbeddedPostgres(directory / "postgres", fast=True) as server:
            files = await record(name, server.dsn_for("postgres"))
            EXAMPLE.write_bytes(zipped(files))
            print(f"{name}: {len(files)} files, {EXAMPLE.stat().st_size} bytes")
        await asyncio.sleep(0.3)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
