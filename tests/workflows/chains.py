"""Paths over several runs, on a server that asks for new runs early: tests run them, and their histories are recorded
run by run."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from models.command import Verb
from models.log import Outcome
from models.names import WAKE, WATCH_ID
from models.plan import RolloutPlan
from models.rollout import Status
from tests.plans import plan_data
from tests.workflows.process import FastLive, Site, fast_plan

SHORT = 120
"""Events after which the server asks for a new run."""

AT_ONCE = 10


def two_must_agree() -> RolloutPlan:
    """A plan that needs two approvals before anything is enrolled, and then a long pilot."""
    rule = {"roles": ["sponsor", "finance_owner"], "quorum": 2, "due": "600d"}
    phases = {"baseline_window": "90d", "pilot": "300d", "validate": "8d", "cadence": "1d", "watchdog": "4d"}
    approvals = {**plan_data()["approvals"], "prepare_to_pilot": rule}
    return fast_plan(approvals=approvals, phases=phases)


async def approval(live: FastLive, role: str) -> dict[str, Any]:
    """The payload of an approval of the open gate."""
    view = await live.until_status(Status.AWAITING_APPROVAL)
    assert view.gate is not None
    fields = {"plan_digest": view.plan_digest, "evidence_digest": view.gate.digest, "choice": "approve"}
    return live.payload(role, gate=view.gate.key, **fields)


async def flood(live: FastLive, count: int) -> list[str]:
    """Signals from many hands at once; their request ids."""
    sent: list[str] = []

    async def hand() -> None:
        while len(sent) < count:
            payload = live.payload(live.plan.owners[len(sent) % len(live.plan.owners)].role, reason="noted")
            sent.append(payload["request_id"])
            await live.handle.signal(Verb.ACKNOWLEDGE, payload)

    await asyncio.gather(*(hand() for _ in range(AT_ONCE)))
    return sent


async def carried_on(here: Site) -> FastLive:
    """Two approvals with new runs between them, the first one sent again in a later run; some pilot; a stop.

    The watch meanwhile gets signals that it does not know or cannot decode.
    """
    live = await here.open(two_must_agree())
    await live.confirm_all()
    first = await approval(live, "sponsor")
    await live.handle.signal(Verb.DECIDE, first)
    while len(await live.runs()) < 3:
        await flood(live, AT_ONCE)
    await live.handle.signal(Verb.DECIDE, first)
    watch = here.client.get_workflow_handle(WATCH_ID)
    await watch.signal("no-such-signal", {"x": 1})
    await watch.signal(WAKE, RawValue(Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x00")))
    await watch.signal(WAKE, args=[1, 2])
    assert (await live.decide("finance_owner")).outcome is Outcome.APPLIED
    await live.until_served(days=16)
    resolution = {"finished": "keep", "current": "withdraw", "pending": "keep"}
    assert (await live.ask(Verb.STOP, "sponsor", resolution=resolution)).outcome is Outcome.APPLIED
    assert (await live.ended()).status == Status.STOPPED
    return live
