"""A real browser. Without one these tests are skipped with the reason, or fail where they must run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from console.guard import SESSION
from tests.console.stage import Stage, signed_in

CHROMIUM = Path("/usr/bin/chromium")
THERE = CHROMIUM.exists()
MUST = "ROLLOUTS_MUST_BROWSE"
"""Set where a missing browser is an error."""

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 60_000
"""Milliseconds for whatever a page is to do."""


@dataclass
class Reader:
    """Somebody at a browser."""

    page: Page
    context: BrowserContext
    address: str
    said: list[str] = field(default_factory=list)

    async def open(self, path: str) -> int:
        """Go to a page; its status."""
        found = await self.page.goto(self.address + path)
        assert found is not None
        return found.status

    async def write(self, reason: str) -> None:
        """A reason in the card that asks for a decision."""
        await self.page.locator("#decide #rationale").fill(reason)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=False).first.click()

    async def receipt(self) -> str:
        """The receipt's text, once it is there."""
        await self.page.locator(".receipt").wait_for(timeout=PATIENCE)
        return await self.page.locator(".receipt").inner_text()


Readers = Callable[..., AbstractAsyncContextManager[Reader]]


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser of this run."""
    if not THERE:
        told = f"no browser at {CHROMIUM}; on Debian: apt-get install -y --no-install-recommends chromium"
        if os.environ.get(MUST):
            pytest.fail(f"{told} ({MUST} is set)")
        pytest.skip(told)
    async with async_playwright() as player:
        browser = await player.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
def reader(chromium: Browser, pages: Stage) -> Readers:
    """People at browsers, each with cookies of their own: `async with reader("sam.sponsor@example.com") as sam`."""

    @asynccontextmanager
    async def opened(identity: str, **options: Any) -> AsyncIterator[Reader]:
        given = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"} | options
        context = await chromium.new_context(**given)
        context.set_default_timeout(PATIENCE)
        if identity:
            secret = await signed_in(pages, identity)
            # Browsers take a cookie for TLS alone from loopback as well; who puts one in has to say it came by TLS.
            there = pages.address.replace("http:", "https:")
            await context.add_cookies([{"name": SESSION, "value": secret, "url": there, "secure": True}])
        page = await context.new_page()
        found = Reader(page, context, pages.address)
        page.on("console", lambda said: found.said.append(said.text))
        page.on("pageerror", lambda said: found.said.append(str(said)))
        try:
            yield found
        finally:
            await context.close()

    return opened
