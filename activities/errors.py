"""The errors activities raise, by the type name that retry policies and people see.

    ApplicationError
    ├── StoreUnavailable    the database did not answer; retried
    ├── UnknownRollout      not registered in the store; retried, because registering may be under way
    ├── UnknownEvidence     no snapshot under that digest; not retried
    ├── UnknownPartners     the plan names partners that do not exist; not retried
    └── LogConflict         another entry stands under the same sequence; not retried

A breached guardrail is a result, never an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from temporalio.exceptions import ApplicationError

from store.log import LogConflict

LONGEST = 500
"""Characters of an error's text that go into the history."""


def unknown_rollout(rollout_id: str) -> ApplicationError:
    return ApplicationError(f"rollout {rollout_id} is not registered in the store", type="UnknownRollout")


def unknown_evidence(digest: str) -> ApplicationError:
    return ApplicationError(f"no evidence {digest} in the store", type="UnknownEvidence", non_retryable=True)


def unknown_partners(partners: tuple[str, ...]) -> ApplicationError:
    shown = ", ".join(partners[:10]) + (f" and {len(partners) - 10} more" if len(partners) > 10 else "")
    return ApplicationError(f"the plan names unknown partners: {shown}", type="UnknownPartners", non_retryable=True)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn what the database client raises into errors with a name; anything else passes."""
    try:
        yield
    except LogConflict as conflict:
        raise ApplicationError(str(conflict)[:LONGEST], type="LogConflict", non_retryable=True) from conflict
    except (
        OSError,
        TimeoutError,
        asyncpg.InterfaceError,
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
        asyncpg.TransactionRollbackError,
    ) as problem:
        text = f"{type(problem).__name__}: {problem}"[:LONGEST]
        raise ApplicationError(text, type="StoreUnavailable") from problem
