"""The pages that owners decide on: rendered here, working without JavaScript, under a strict content policy."""

from __future__ import annotations

import asyncpg
from fastapi import FastAPI

from console.pages.live import Pulse


def add_pages(app: FastAPI, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Put all pages under an app. Rollouts are asked by `app.state.gateway`; without one, pages say so."""
    from console.pages import (
        actions,
        audit,
        inbox,
        language,
        lists,
        live,
        partners,
        plan,
        rollout,
        system,
    )
    from console.pages.files import Files
    from console.pages.render import STATIC

    app.state.pulse = Pulse(pool)
    for one in (inbox, lists, actions, plan, rollout, partners, audit, system, live, language):
        app.include_router(one.router)
    app.mount("/static", Files(directory=STATIC), name="static")
