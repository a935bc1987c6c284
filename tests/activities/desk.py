"""A rollout in the store, a worker that records and signs for it, and eyes that check what it signed."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.testing import ActivityEnvironment

from activities.checkpoints import LogSigner
from audit.checkpoint import Checkpoint, link_of, open_checkpoint
from audit.leaves import leaf_bytes
from audit.notes import NoteSigner, read_vkey
from audit.tree import leaf_hash, root
from models.log import EntryKind
from models.names import DEPLOYMENT
from store import checkpoints as store
from store.checkpoints import StoredCheckpoint
from tests.activities.setting import Pool, Setting, entry
from tests.activities.whole import effects_of


def signer() -> LogSigner:
    return LogSigner(NoteSigner(DEPLOYMENT, Ed25519PrivateKey.generate()), DEPLOYMENT)


class Desk:
    """A registered rollout, and the activities of a worker with this key, or without one."""

    def __init__(self, pool: Pool, signer: LogSigner | None, setting: Setting) -> None:
        self.pool = pool
        self.setting = setting
        self.signer = signer
        self.effects = effects_of(pool, signer)

    async def record(self, *sequences: int, kind: EntryKind = EntryKind.PHASE, notices: Any = ()) -> int:
        entries = tuple(entry(number).model_copy(update={"kind": kind}) for number in sequences)
        request = self.setting.recording(*entries).model_copy(update={"notices": notices})
        done: int = await ActivityEnvironment().run(self.effects.record_decisions, request)
        return done

    async def checkpoints(self) -> tuple[StoredCheckpoint, ...]:
        async with self.pool.acquire() as conn:
            return await store.listed(conn, self.setting.key)

    async def leaves(self) -> list[bytes]:
        rows = await self.pool.fetch("select sequence, run_id, entry from decision_log order by sequence")
        key = self.setting.key
        return [
            leaf_hash(leaf_bytes(key.rollout_id, key.chain_id, row["run_id"], row["sequence"], row["entry"]))
            for row in rows
        ]

    async def verified(self) -> list[Checkpoint]:
        """Every checkpoint, as somebody finds it who has the log, and trusts the keys that are named."""
        leaves = await self.leaves()
        found: list[Checkpoint] = []
        for number, one in enumerate(await self.checkpoints(), 1):
            said = open_checkpoint(one.note.encode(), [read_vkey(one.vkey)])
            link = link_of(said)
            assert (said.size, link.number, link.because.value) == (one.size, one.number, one.because)
            assert said.root == root(leaves[: said.size])
            assert link.number == number
            assert link.previous == (found[-1].digest if found else None)
            found.append(said)
        return found

    async def wishes(self) -> int:
        found: int = await self.pool.fetchval("select count(*) from log_checkpoint_wish")
        return found

    async def tamper(self, statement: str) -> None:
        """What the owner of the tables can do."""
        async with self.pool.acquire() as conn, conn.transaction():
            await conn.execute("set local session_replication_role = replica")
            await conn.execute(statement)
