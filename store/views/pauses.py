"""What the logs of open rollouts tell of their pauses, for those who may judge them."""

from __future__ import annotations

from pydantic import TypeAdapter

from models.log import LogEntry
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_PAUSES = statement("views/pauses")
_ENTRIES: TypeAdapter[tuple[LogEntry, ...]] = TypeAdapter(tuple[LogEntry, ...])


async def read_pauses(
    conn: Connection, identity: str, signer: tuple[str, str] | None = None
) -> dict[RolloutKey, tuple[LogEntry, ...]]:
    """By open rollout that paused the entries about its pauses and what was said of them, by their sequence.

    Args:
        identity: of somebody whom its plan or a delegation names, by this or by `signer`, who is issuer and subject.
    """
    known = [{"issuer": signer[0], "subject": signer[1]}] if signer else None
    rows = await conn.fetch(_PAUSES, identity.casefold(), known)
    return {
        RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]): _ENTRIES.validate_json(row["entries"])
        for row in rows
    }
