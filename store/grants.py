"""Who may do what to which table: the role of the workers, which can add to the record and never take from it.

Triggers refuse a change of what is append-only; but who owns a table can switch its triggers off. A worker's role owns
nothing, and has no right to change or delete what is there, so that it needs no trigger to be held.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from store.pool import Connection
from store.statements import statement

_STATEMENTS = statement("roles/statements")
_LOOK = statement("roles/look")
_CREATE = statement("roles/create")
_TABLES = statement("roles/tables")

APPEND_ONLY = frozenset(
    {"decision_log", "log_checkpoint", "evidence", "judged_reading", "kept_document", "rollout_cohort", "fact_event"}
)
"""Tables that nothing is ever changed in or deleted from."""

_APPEND, _KEEP, _QUEUE = "select, insert", "select, insert, update", "select, insert, delete"

WORKER: Mapping[str, str] = {
    # The record.
    "decision_log": _APPEND,
    "log_checkpoint": _APPEND,
    "log_checkpoint_wish": _QUEUE,
    "evidence": _APPEND,
    "judged_reading": _APPEND,
    "kept_document": _APPEND,
    "rollout_cohort": _APPEND,
    # Histories grow until their run is closed.
    "exported_history": _KEEP,
    # Where rollouts and letters stand now.
    "rollout": _KEEP,
    "enrolment": _KEEP,
    "notice": _KEEP,
    "workflow_alarm": _KEEP,
    # What the watch remembers.
    "watch_mark": _KEEP,
    "watch_position": _KEEP,
    "watch_change": _QUEUE,
    "watch_seed": _APPEND,
    # Holidays of a year that nobody had asked for before.
    "public_holiday": _APPEND,
    "public_holiday_year": _APPEND,
}
"""What a worker may do beside reading facts."""

HIDDEN = frozenset({"api_key", "session", "sign_in", "terminal_request", "draft"})
"""What the console alone needs: whoever reads these acts as somebody, or nearly."""


class RoleRefused(Exception):
    """The role cannot be a worker's; the message says why."""


async def rights_of_worker(conn: Connection) -> dict[str, str]:
    """Every table that a worker may do something with, and what: all others that are not hidden it reads."""
    found = [row["name"] for row in await conn.fetch(_TABLES)]
    return {name: WORKER.get(name, "select") for name in found if name not in HIDDEN}


async def create_role(conn: Connection, role: str) -> str:
    """Make a login role that may do nothing yet; its password, which nobody else knows.

    Raises:
        RoleRefused: there is one of that name.
    """
    if await conn.fetchrow(_LOOK, role) is not None:
        raise RoleRefused(f"there is a role {role} already")
    password = secrets.token_urlsafe(24)
    await conn.execute(await conn.fetchval(_CREATE, role, password))
    return password


async def grant_worker(conn: Connection, role: str) -> int:
    """Give a role what a worker needs, and take away what it had beyond on tables of ours; how many tables it may use.

    To be called as who owns the tables, in a transaction.

    Raises:
        RoleRefused: there is no such role, or grants would not bind it.
    """
    found = await conn.fetchrow(_LOOK, role)
    if found is None:
        raise RoleRefused(f"there is no role {role}")
    if found["mighty"]:
        raise RoleRefused(f"{role} is a superuser, or may make itself one: no grant would bind it")
    if found["owns"]:
        raise RoleRefused(f"{role} owns the tables, or belongs to who does: it could switch their triggers off")
    rights = await rights_of_worker(conn)
    for row in await conn.fetch(_STATEMENTS, role, list(rights), list(rights.values())):
        await conn.execute(row["statement"])
    return len(rights)
