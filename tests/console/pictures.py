"""Draws the pictures of the documents: `python -m tests.console.pictures`.

The demonstration's plan runs on its made-up world, and a real browser looks at it: once when a guardrail has paused it,
once at the gate into the first wave.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright

from cli.data import fill
from cli.demo import ASK_EVERY, BEGIN, PLAN, SLUMP, SPEED, WORLD
from cli.plan import read_plan
from cli.players import Players
from console.guard import SESSION
from deploy.embedded.account import temporary_directory
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.temporal import EmbeddedTemporal
from models.plan import RolloutPlan
from models.rollout import RolloutView, Status
from store.migrate import migrate
from store.world_spec import Slump
from tests.claimed import claimed
from tests.console.browser.conftest import ARGUMENTS, CHROMIUM
from tests.console.stage import Stage, at, signed_in
from workflows.attributes import SEARCH_ATTRIBUTES

IMAGES = Path(__file__).parents[2] / "docs" / "images"
VERA = "vera.lindqvist@example.com"
GATE = "validate_to_scale"


async def main() -> None:
    """All pictures, in about two minutes."""
    folder = temporary_directory("partner-rollouts-pictures-")
    plan = read_plan(PLAN)
    try:
        async with (
            EmbeddedPostgres(folder / "postgres", fast=True) as postgres,
            EmbeddedTemporal(ui=False, search_attributes=SEARCH_ATTRIBUTES) as temporal,
        ):
            await migrate(postgres.dsn)
            slump = Slump(select=plan.cohorts.pilot.select, start=SLUMP[0], end=SLUMP[1], depth=55)
            await fill(postgres.dsn, slumps=(slump,), **WORLD)
            async with at(temporal, postgres.dsn) as stage, async_playwright() as player:
                browser = await player.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
                await _draw(stage, plan, browser)
                await browser.close()
    finally:
        shutil.rmtree(folder)


async def _draw(stage: Stage, plan: RolloutPlan, browser: Browser) -> None:
    assert await stage.gateway.start(plan, BEGIN, SPEED)
    path = f"/rollouts/{plan.id}"
    await _play(stage, plan, lambda view: view.status is Status.PAUSED)
    await _shoot(stage, browser, path, "rollout-paused-phone", width=390, height=844, color_scheme="dark")
    await _play(stage, plan, lambda view: view.gate is not None and view.gate.key == GATE)
    await _shoot(stage, browser, path, "rollout-decision", height=1180)
    await _shoot(stage, browser, "/", "inbox", height=520)
    await _shoot(stage, browser, path, "rollout-metrics", at="#metrics", height=1000)
    await _shoot(stage, browser, f"/partners?rollout={plan.id}&cohort=pilot", "partners", height=760)


async def _play(stage: Stage, plan: RolloutPlan, reached: Any) -> RolloutView:
    """Play the owners until something is true."""
    players = Players(plan, ask_every=ASK_EVERY, give_up=None)
    while True:
        view = await stage.gateway.status(plan.id)
        if reached(view):
            return view
        for act in players.acts(view):
            receipt = await stage.gateway.deliver(
                plan.id, act.verb, claimed(act.verb, act.owner.identity, act.reason, **act.fields)
            )
            players.heard(act, receipt)
        await asyncio.sleep(0.2)


async def _shoot(
    stage: Stage, browser: Browser, path: str, name: str, *, width: int = 1180, height: int, at: str = "", **more: Any
) -> None:
    context = await browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", **more)
    secret = await signed_in(stage, VERA)
    there = stage.address.replace("http:", "https:")
    await context.add_cookies([{"name": SESSION, "value": secret, "url": there, "secure": True}])
    page = await context.new_page()
    await page.goto(stage.address + path)
    if at:
        await page.locator(at).evaluate("one => one.scrollIntoView({behavior: 'instant'})")
    await page.screenshot(path=IMAGES / f"{name}.png")
    await context.close()


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    asyncio.run(main())
