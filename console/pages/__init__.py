"""The pages that owners decide on: rendered here, working without JavaScript, under a strict content policy."""

from __future__ import annotations

from fastapi import FastAPI


def add_pages(app: FastAPI) -> None:
    """Put all pages under an app, which has its pool and its site."""
    from console.pages import (
        actions,
        audit,
        files,
        inbox,
        language,
        lists,
        live,
        numbers,
        partners,
        personas,
        plan,
        record,
        rollout,
        system,
    )
    from console.pages.errors import dress
    from console.pages.live import Pulse
    from console.pages.render import STATIC

    app.state.dress = dress
    app.state.pulse = Pulse(app.state.pool)
    for one in (inbox, lists, actions, plan, numbers, record, rollout, partners, audit, system, live, language, files):
        app.include_router(one.router)
    if app.state.site.dev is not None:
        app.include_router(personas.router)
    app.mount("/static", files.Files(directory=STATIC), name="static")
