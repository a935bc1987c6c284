"""Why no rollout is started where Temporal would delete its history too soon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio.service import RPCError, RPCStatusCode

from console.errors import GatewayError, Kind
from console.requests import told_of
from worker.settings import variable


def kept_too_short(namespace: str, found: timedelta, least: timedelta) -> GatewayError:
    """Closed histories are kept for less than is allowed."""
    return GatewayError(
        f"Namespace {namespace} keeps closed histories for {found / timedelta(days=1):g} days, and at least "
        f"{least.days} are allowed ({variable('retention_days')}). Nothing is started: `temporal operator namespace "
        f"update --retention {least.days}d {namespace}` keeps them longer; `rollouts start --short-retention` starts "
        "all the same, and the log says so.",
        Kind.REFUSED,
    )


async def too_short(
    retained: Callable[[], Awaitable[timedelta]], name: str, namespace: str, least: timedelta
) -> timedelta | None:
    """How long closed histories are kept, if that is less than is allowed. Not to know it starts nothing.

    Raises:
        GatewayError: it may not be read, or Temporal does not answer.
    """
    try:
        kept = await retained() if least else least
    except RPCError as problem:
        if problem.status is not RPCStatusCode.PERMISSION_DENIED:
            raise told_of(name, problem) from problem
        raise GatewayError(
            f"How long namespace {namespace} keeps closed histories may not be read here, and must be at least "
            f"{least.days} days. Nothing is started; with {variable('retention_days')}=0 it does not matter.",
            Kind.REFUSED,
        ) from problem
    return kept if kept < least else None
