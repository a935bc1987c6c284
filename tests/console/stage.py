"""A whole service with pages on real servers, its rollouts at a gate, in the pilot and paused, and its readers."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import asyncpg

from console.gateway import Gateway
from console.settings import ConsoleSettings
from console.signing import generate, load_signer
from console.site import Site as ConsoleSite
from deploy.embedded.account import temporary_directory
from deploy.embedded.temporal import EmbeddedTemporal
from models.command import Choice, Verb
from models.log import Outcome, Receipt
from models.names import TASK_QUEUE
from models.plan import RolloutPlan
from models.rollout import RolloutView, Status
from store.pool import create_pool
from store.sessions import Holder, open_session
from tests.claimed import claimed
from tests.console.visitors import serving
from tests.facts import seed_facts, slump
from tests.plans import PILOT, make_plan, plan_data
from tests.rest import at_rest
from tests.worker.process import patiently
from tests.workflows.live import FACTS_FROM, START
from tests.workflows.process import SPEED, Site, fast_plan, site

FACTS_TO = date(2030, 6, 1)
"""Where a rollout in fast time is after 23 minutes, when all tests of a process are over."""

SLUMP = date(2026, 1, 15), FACTS_TO
"""When the pilot's partners stop following up in time: a rollout in fast time pauses in the middle of its pilot. They
never begin again: it would be judged anew, and its page say so to whichever test came after that."""

SETTINGS = ConsoleSettings(console_connections=8, decisions_per_minute=600)
GATE, PILOTING, PAUSED, TITLE = "spring-rebate", "lead-routing", "deal-registration", "Spring rebate for gold partners"


@dataclass
class Stage:
    """The service, where it listens, and hands on its rollouts."""

    address: str
    site: ConsoleSite
    pool: asyncpg.Pool[asyncpg.Record]
    gateway: Gateway
    servers: Site
    plans: dict[str, RolloutPlan] = field(default_factory=dict)

    async def start(self, plan: RolloutPlan, speed: float = 1.0) -> None:
        assert await self.gateway.start(plan, START, speed)
        self.plans[plan.id] = plan
        for owner in plan.owners:
            await self.ask(plan.id, Verb.CONFIRM_OWNERSHIP, owner.role, role=owner.role)

    async def ask(self, name: str, verb: Verb, by: str, reason: str = "it is as we agreed", **fields: Any) -> Receipt:
        identity = self.plans[name].holders(by)[0].identity
        receipt = await self.gateway.deliver(name, verb, claimed(verb, identity, reason, **fields))
        assert receipt.outcome is not Outcome.REFUSED, receipt.message
        return receipt

    async def until(self, name: str, *wanted: Status) -> RolloutView:
        """The first view with one of these statuses."""
        told = ""

        async def look() -> RolloutView | None:
            nonlocal told
            view = await self.gateway.status(name)
            told = f"still {view.status}: {view.sentence}"
            return view if view.status in wanted else None

        return await patiently(look, lambda: told)

    async def at_gate(self, name: str, title: str = TITLE, **changes: Any) -> RolloutView:
        """A rollout whose gate into the pilot is open."""
        await self.start(make_plan(id=name, title=title, **changes))
        view = await self.until(name, Status.AWAITING_APPROVAL)
        return await self.recorded(view)

    async def piloting(self, name: str, title: str) -> RolloutView:
        """A rollout in its pilot."""
        await self.approve(name, await self.at_gate(name, title))
        return await self.recorded(await self.until(name, Status.RUNNING))

    async def paused(self, name: str, title: str) -> RolloutView:
        """A rollout in fast time that a guardrail has paused in its pilot, with weeks of numbers behind it."""
        data = plan_data()
        plan = fast_plan(id=name, title=title, phases=data["phases"] | {"pilot": "60d", "watchdog": "60d"})
        await self.start(plan, SPEED)
        await self.approve(name, await self.until(name, Status.AWAITING_APPROVAL))
        return await self.recorded(await self.until(name, Status.PAUSED))

    async def approve(self, name: str, view: RolloutView, by: str = "sponsor") -> None:
        assert view.gate is not None
        fields = {"plan_digest": view.plan_digest, "evidence_digest": view.gate.digest}
        await self.ask(name, Verb.DECIDE, by, gate=view.gate.key, choice=Choice.APPROVE, **fields)

    async def recorded(self, view: RolloutView) -> RolloutView:
        """Wait until the store knows what the rollout told, and nothing of it is under way any more."""

        async def look() -> bool | None:
            found = await self.pool.fetchval("select max(sequence) from rollout where rollout_id = $1", view.rollout_id)
            return (found is not None and found >= view.entries) or None

        await patiently(look, lambda: "the store does not hear of it")
        # Its letters are written after that, and its partners enrolled.
        await at_rest(self.gateway.handle(view.rollout_id))
        return view


async def signed_in(stage: Stage, identity: str) -> str:
    """The secret of a session of somebody who has just signed in."""
    name = identity.partition("@")[0].replace(".", " ").title()
    issuer = stage.site.provider.issuer
    async with stage.pool.acquire() as conn:
        return await open_session(conn, Holder(issuer, identity, identity, name, int(time.time()), ("dev",)))


@asynccontextmanager
async def stage(temporal: EmbeddedTemporal, dsn: str) -> AsyncIterator[Stage]:
    """The service on these servers with the facts of the test plan, and a worker process behind it."""
    async with await create_pool(dsn) as pool:
        await seed_facts(pool, FACTS_FROM, FACTS_TO)
        await slump(pool, PILOT, *SLUMP)
    async with at(temporal, dsn) as found:
        yield found


@asynccontextmanager
async def at(temporal: EmbeddedTemporal, dsn: str) -> AsyncIterator[Stage]:
    """The same with whatever facts there are. The worker knows the key that the service signs with."""
    folder = temporary_directory("partner-rollouts-keys-")
    generate(folder / "signing.json", folder / "public.json")
    signer = load_signer(folder / "signing.json", SETTINGS.deployment)
    more = {"ROLLOUTS_DECISION_KEYS": str(folder / "public.json")}
    try:
        async with await create_pool(dsn) as pool, site(temporal, dsn, TASK_QUEUE, more) as servers:
            gateway = Gateway(servers.client)
            async with serving(dsn, SETTINGS, gateway, signer) as service:
                yield Stage(service.url, service, pool, gateway, servers)
    finally:
        shutil.rmtree(folder)
