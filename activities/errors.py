"""The errors activities raise, by the type name that retry policies and people see.

    ApplicationError
    ├── StoreUnavailable    the database did not answer in time; retried
    ├── StoreNotReady       it answers, but lacks the tables: `rollouts db migrate`; retried
    ├── ServerUnavailable   Temporal did not answer; retried
    ├── UnknownRollout      not registered in the store; retried, because registering may be under way
    ├── UnknownCohorts      not frozen in the store; retried
    ├── UnknownBaselines    no snapshot in the store to take them from; retried
    ├── LogBehind           the log in the store lacks entries that are to be reviewed; retried
    ├── UnknownLetters      not in the outbox, where the record of what they are about puts them; retried
    ├── RunGone             Temporal has no such run of a rollout; retried
    ├── StoreRefused        a value or a reference the tables do not allow; not retried
    ├── UnreadableFacts     stored values that are none, such as not-a-number; not retried
    ├── UnknownPartners     the plan names partners that do not exist; not retried
    ├── UnknownEvidence     no snapshot under that digest; not retried
    ├── StaleEvidence       the watch's snapshot is older than what the rollout has seen; not retried
    ├── EvidenceChanged     a stored snapshot is not what its digest was made of; not retried
    ├── CohortsChanged      the members in the store are not those that were frozen; not retried
    ├── WrongPlan           the store has another plan for this rollout, or it began with another; not retried
    ├── RolloutOver         nobody is enrolled after the end; not retried
    ├── KeysUnavailable     whose signatures count cannot be read from the file of keys; retried
    ├── NotProven           no signatures that hold say that partners may be enrolled or withdrawn; not retried
    ├── NotEnrolled         partners that were withdrawn, or belong to another cohort; not retried
    └── LogConflict         another entry stands under the same sequence; not retried

A breached guardrail is a result, never an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from models.warrant import NotProven
from store.enrolments import CohortsChanged, NotEnrolled, NotFrozen, NotRegistered, RolloutOver
from store.evidence import EvidenceChanged
from store.log import LogConflict
from store.pool import Connection
from store.rollouts import UnknownBaselines

LONGEST = 500
"""Characters of an error's text that go into the history: a database's may quote whole rows."""

PATIENCE = 5.0
"""Seconds to wait for a free connection."""

UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # What the driver falls over when a server goes away in the middle of an answer.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
)
NOT_READY = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)
REFUSED = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, ValueError)


def unknown_rollout(rollout_id: str) -> ApplicationError:
    return _error("UnknownRollout", f"rollout {rollout_id} is not registered in the store")


def log_behind(rollout_id: str, found: int, wanted: int) -> ApplicationError:
    return _error("LogBehind", f"the log of {rollout_id} has {found} entries in the store, {wanted} are needed")


def unknown_letters(notice_ids: tuple[str, ...]) -> ApplicationError:
    return _error("UnknownLetters", f"not in the outbox: {', '.join(notice_ids)}")


def keys_unavailable(problem: str) -> ApplicationError:
    return _error("KeysUnavailable", problem)


def wrong_plan(rollout_id: str) -> ApplicationError:
    return _error("WrongPlan", f"the store has another plan for rollout {rollout_id}", final=True)


def another_plan(rollout_id: str) -> ApplicationError:
    return _error("WrongPlan", f"rollout {rollout_id} began with another plan than it runs", final=True)


def unknown_evidence(digest: str) -> ApplicationError:
    return _error("UnknownEvidence", f"no evidence {digest} in the store", final=True)


def stale_evidence(digest: str) -> ApplicationError:
    return _error("StaleEvidence", f"evidence {digest} is older than what the rollout has seen", final=True)


def unknown_partners(partners: tuple[str, ...]) -> ApplicationError:
    shown = ", ".join(partners[:10]) + (f" and {len(partners) - 10} more" if len(partners) > 10 else "")
    return _error("UnknownPartners", f"the plan names unknown partners: {shown}", final=True)


@asynccontextmanager
async def borrowed(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    """A connection of the pool, with everything that can go wrong on it turned into errors with a name."""
    with named_errors():
        async with pool.acquire(timeout=PATIENCE) as conn:
            yield conn


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn what the store and Temporal's client raise into errors with a name and a bounded text."""
    try:
        yield
    except (NotEnrolled, NotProven, RolloutOver, CohortsChanged, EvidenceChanged, LogConflict) as problem:
        raise _error(type(problem).__name__, str(problem), final=True) from problem
    except NotRegistered as problem:
        raise _error("UnknownRollout", str(problem)) from problem
    except NotFrozen as problem:
        raise _error("UnknownCohorts", str(problem)) from problem
    except UnknownBaselines as problem:
        raise _error("UnknownBaselines", str(problem)) from problem
    except RPCError as problem:
        raise _error("ServerUnavailable", _told(problem)) from problem
    except NOT_READY as problem:
        raise _error("StoreNotReady", f"{_told(problem)}; run: rollouts db migrate") from problem
    except ValidationError as problem:
        raise _error("UnreadableFacts", _told(problem), final=True) from None
    except UNAVAILABLE as problem:
        raise _error("StoreUnavailable", _told(problem)) from problem
    except REFUSED as problem:
        raise _error("StoreRefused", _told(problem), final=True) from None


def _told(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"


def _error(kind: str, text: str, *, final: bool = False) -> ApplicationError:
    return ApplicationError(text[:LONGEST], type=kind, non_retryable=final)
