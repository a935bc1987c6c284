"""Owners decide in a browser: with and without JavaScript, by keyboard, two at a time, and nobody in their place."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from playwright.async_api import Page

from console.guard import SESSION
from models.base import digest, short
from models.log import Outcome
from models.rollout import Phase, Status
from tests.console.browser.conftest import PATIENCE, Readers
from tests.console.stage import GATE, Stage
from tests.plans import plan_data

SAM, FIN, ENA = "sam.sponsor@example.com", "fin.finance@example.com", "ena.blement@example.com"
DANA = "dana.deputy@example.com"
WHY = "The baselines are what we agreed on"


def name() -> str:
    return f"page-{uuid4().hex[:8]}"


def two_owners() -> dict[str, Any]:
    """Approvals in which either of two owners opens the first gate."""
    approvals = plan_data()["approvals"]
    approvals["prepare_to_pilot"]["roles"] = ["sponsor", "finance_owner"]
    return {"approvals": approvals}


async def test_an_owner_reads_what_waits_approves_it_and_gets_a_receipt_that_the_rollout_bears_out(
    pages: Stage, reader: Readers
) -> None:
    rollout = name()
    await pages.at_gate(rollout, "Approved in a browser")
    async with reader(SAM) as sam:
        await sam.open("/")
        item = sam.page.locator(".item", has_text="Approved in a browser")
        assert "0 → 12 partners under the new rule" in await item.inner_text()
        await item.get_by_role("link", name="Read and decide").click()
        await sam.write(WHY)
        await sam.press("Approve …")
        assert "0 → 12 partners under the new rule" in await sam.page.locator(".effect").inner_text()
        assert (await pages.gateway.status(rollout)).status is Status.AWAITING_APPROVAL, "nothing is done before"
        await sam.press("Approve now")
        told = await sam.receipt()
        assert sam.said == []
    (entry,) = [one for one in await pages.gateway.decisions(rollout) if one.rationale == WHY]
    assert f"#{entry.sequence}" in told
    assert digest(entry) in told
    assert entry.signed_by is not None
    assert "signed" in told
    assert f"{entry.at:%H:%M} UTC" in told
    assert (await pages.until(rollout, Status.RUNNING)).phase is Phase.PILOT


async def test_somebody_signs_in_finds_their_inbox_and_signs_out(pages: Stage, reader: Readers) -> None:
    async with reader("") as sam:
        await sam.open(f"/rollouts/{GATE}")
        assert "/dev-issuer/" in sam.page.url
        await sam.page.get_by_role("button", name="Sam Sponsor").click()
        await sam.page.wait_for_url(f"**/rollouts/{GATE}")
        assert "For trying things out" in await sam.page.locator("header").inner_text()
        kept = {one["name"]: one for one in await sam.context.cookies()}[SESSION]
        assert (kept["httpOnly"], kept["secure"], kept["sameSite"]) == (True, True, "Lax")
        await sam.press("Sign out")
        await sam.page.wait_for_url("**/dev-issuer/**")
        assert SESSION not in {one["name"] for one in await sam.context.cookies()}
        assert sam.said == []


async def test_without_javascript_everything_can_be_decided(pages: Stage, reader: Readers) -> None:
    rollout = name()
    await pages.at_gate(rollout)
    async with reader(SAM, java_script_enabled=False) as sam:
        await sam.open(f"/rollouts/{rollout}")
        await sam.write(WHY)
        await sam.press("Reject …")
        assert "The rollout pauses" in await sam.page.locator(".effect").inner_text()
        await sam.press("Reject now")
        assert "rejected prepare_to_pilot" in await sam.receipt()
    view = await pages.until(rollout, Status.PAUSED)
    assert view.pause is not None
    assert WHY in view.pause.detail


async def test_an_owner_pauses_and_resumes(pages: Stage, reader: Readers) -> None:
    rollout = name()
    await pages.piloting(rollout, "To be paused")
    async with reader(SAM) as sam:
        await sam.open(f"/rollouts/{rollout}")
        await sam.page.get_by_text("Something else: pause").click()
        await sam.page.locator("#why-pause").fill("A partner reports wrong invoices")
        await sam.press("Pause …")
        await sam.press("Yes: Pause")
        await sam.receipt()
        assert (await pages.until(rollout, Status.PAUSED)).pause is not None
        await sam.open(f"/rollouts/{rollout}")
        assert "A partner reports wrong invoices" in await sam.page.locator("#state").inner_text()
        await sam.write("The invoices have been corrected")
        await sam.press("Resume …")
        await sam.press("Yes: Resume")
        await sam.receipt()
    await pages.until(rollout, Status.RUNNING)


async def test_an_owner_lets_somebody_act_who_then_approves_in_their_place(pages: Stage, reader: Readers) -> None:
    rollout = name()
    await pages.at_gate(rollout, "Approved by a deputy")
    async with reader(SAM) as sam, reader(DANA) as dana:
        await sam.open(f"/rollouts/{rollout}")
        await sam.page.get_by_text("Something else: pause").click()
        await sam.page.get_by_label("Their name").fill("Dana Deputy")
        await sam.page.get_by_label("Their e-mail address").fill(DANA)
        await sam.page.get_by_label("They act for you until").fill("2036-05-01T12:00")
        await sam.page.get_by_label("Who they are where they sign in").fill(DANA)
        await sam.page.locator("#why-delegate").fill("I am away until May")
        await sam.press("Let somebody act for you …")
        await sam.press("Yes: Let somebody act for you")
        assert "Dana Deputy" in await sam.receipt()
        await pages.recorded(await pages.gateway.status(rollout))
        await dana.open("/")
        item = dana.page.locator(".item", has_text="Approved by a deputy")
        await item.get_by_role("link", name="Read and decide").click()
        await dana.write(WHY)
        await dana.press("Approve …")
        await dana.press("Approve now")
        assert "Dana Deputy for Sam Sponsor approved" in await dana.receipt()
        assert (sam.said, dana.said) == ([], [])
    assert (await pages.until(rollout, Status.RUNNING)).phase is Phase.PILOT


async def test_by_keyboard_alone_a_gate_can_be_approved(pages: Stage, reader: Readers) -> None:
    rollout = name()
    await pages.at_gate(rollout)
    async with reader(SAM) as sam:
        await sam.open(f"/rollouts/{rollout}")
        keys = sam.page.keyboard
        await keys.press("Tab")
        assert await sam.page.evaluate("document.activeElement.textContent") == "Skip to content"
        await keys.press("Enter")
        await _tab_to(sam.page, "rationale")
        await keys.type(WHY)
        await _tab_to(sam.page, "Approve …")
        await keys.press("Enter")
        await sam.page.wait_for_url("**/confirm")
        await _tab_to(sam.page, "Approve now")
        shown = await sam.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert shown == "solid", "the focus must be seen"
        await keys.press("Enter")
        await sam.receipt()
    assert (await pages.until(rollout, Status.RUNNING)).phase is Phase.PILOT


async def _tab_to(page: Page, wanted: str) -> None:
    for _ in range(60):
        await page.keyboard.press("Tab")
        if wanted in await page.evaluate("document.activeElement.id + ' ' + document.activeElement.innerText"):
            return
    raise AssertionError(f"{wanted} cannot be reached by keyboard")


async def test_a_second_owner_sees_the_card_turn_read_only_without_doing_anything(
    pages: Stage, reader: Readers
) -> None:
    rollout = name()
    await pages.at_gate(rollout, **two_owners())
    async with reader(FIN) as fin:
        await fin.open(f"/rollouts/{rollout}")
        await fin.page.get_by_role("button", name="Approve …").wait_for()
        await pages.approve(rollout, await pages.gateway.status(rollout))
        await fin.page.get_by_role("button", name="Approve …").wait_for(state="detached", timeout=PATIENCE)
        # Who decided is told as soon as it is recorded, a moment after nothing is asked any more.
        decided = fin.page.locator("#decide", has_text="Sam Sponsor approved prepare_to_pilot")
        await decided.wait_for(timeout=PATIENCE)
        assert fin.said == []


async def test_what_somebody_is_writing_stays_and_they_are_told_that_things_have_moved_on(
    pages: Stage, reader: Readers
) -> None:
    rollout = name()
    await pages.at_gate(rollout, **two_owners())
    async with reader(FIN) as fin:
        await fin.open(f"/rollouts/{rollout}")
        await fin.write("I have my doubts about the")
        await pages.approve(rollout, await pages.gateway.status(rollout))
        await fin.page.locator("#moved").wait_for(state="visible", timeout=PATIENCE)
        assert await fin.page.locator("#decide #rationale").input_value() == "I have my doubts about the"


async def test_a_gate_that_closed_meanwhile_refuses_and_the_refusal_is_in_the_log(
    pages: Stage, reader: Readers
) -> None:
    rollout = name()
    await pages.at_gate(rollout, **two_owners())
    async with reader(FIN, java_script_enabled=False) as fin:
        await fin.open(f"/rollouts/{rollout}")
        await fin.write(WHY)
        await pages.approve(rollout, await pages.gateway.status(rollout))
        await pages.until(rollout, Status.RUNNING)
        await fin.press("Approve …")
        await fin.press("Approve now")
        assert "Nothing was changed" in await fin.page.locator("#problem").inner_text()
    refused = [one for one in await pages.gateway.decisions(rollout) if one.outcome is Outcome.REFUSED]
    assert [(one.actor, one.rationale) for one in refused] == [(FIN, WHY)]


async def test_an_owner_of_another_role_is_offered_nothing_and_a_form_of_their_own_is_forbidden_and_logged(
    pages: Stage, reader: Readers
) -> None:
    rollout = name()
    view = await pages.at_gate(rollout)
    assert view.gate is not None
    async with reader(ENA) as ena:
        await ena.open(f"/rollouts/{rollout}")
        card = await ena.page.locator("#decide").inner_text()
        assert "is not among those who may" in card
        assert await ena.page.get_by_role("button", name="Approve …").count() == 0
        status = await ena.page.evaluate(
            """async ([address, fields]) => (await fetch(address, {
                method: "POST", body: new URLSearchParams(fields), redirect: "manual"})).status""",
            [
                f"/rollouts/{rollout}/decide",
                {
                    "verb": "decide",
                    "choice": "approve",
                    "gate": view.gate.key,
                    "evidence_digest": view.gate.digest,
                    "plan_digest": view.plan_digest,
                    "rationale": "I would like it very much",
                    "csrf": await ena.page.locator("[name=csrf]").first.input_value(),
                },
            ],
        )
        assert status == 403
    (refused,) = [one for one in await pages.gateway.decisions(rollout) if one.outcome is Outcome.REFUSED]
    assert (refused.actor, refused.rationale) == (ENA, "I would like it very much")
    assert (await pages.gateway.status(rollout)).status is Status.AWAITING_APPROVAL


async def test_a_form_on_a_page_of_another_origin_does_nothing(pages: Stage, reader: Readers) -> None:
    rollout = name()
    view = await pages.at_gate(rollout)
    assert view.gate is not None
    fields = {
        "verb": "decide",
        "choice": "approve",
        "gate": view.gate.key,
        "evidence_digest": view.gate.digest,
        "plan_digest": view.plan_digest,
        "rationale": "sent behind the owner's back",
    }
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    target = f"{pages.address}/rollouts/{rollout}/decide"
    body = f'<form method="post" action="{target}">{inputs}<button>A prize</button></form>'
    async with _elsewhere(body) as other, reader(SAM) as sam:
        await sam.page.goto(other)
        async with sam.page.expect_response(re.compile("/decide$")) as answer:
            await sam.page.get_by_role("button").click()
        found = await answer.value
        sent = await found.request.all_headers()
        assert SESSION in sent.get("cookie", ""), "the browser does send the cookie: ports share it"
        assert found.status == 403
    assert all(one.rationale != fields["rationale"] for one in await pages.gateway.decisions(rollout))
    assert (await pages.gateway.status(rollout)).gate is not None


@asynccontextmanager
async def _elsewhere(body: str) -> AsyncIterator[str]:
    """A page on another port of the same host."""

    async def answer(reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        await reading.readuntil(b"\r\n\r\n")
        text = f"<!doctype html><title>x</title>{body}".encode()
        writing.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n")
        writing.write(b"Content-Length: %d\r\n\r\n" % len(text) + text)
        await writing.drain()
        writing.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_evidence_that_changed_while_somebody_read_is_shown_before_anything_is_sent(
    pages: Stage, reader: Readers
) -> None:
    rollout = name()
    view = await pages.at_gate(rollout)
    assert view.gate is not None
    async with reader(SAM) as sam:
        await sam.open(f"/rollouts/{rollout}")
        await sam.page.evaluate(
            "document.querySelector('#decide [name=evidence_digest]').value = 'sha256:' + '0'.repeat(64)"
        )
        await sam.write(WHY)
        await sam.press("Approve …")
        assert "The evidence has changed while you read" in await sam.page.locator("main").inner_text()
        assert await sam.page.locator("#rationale").input_value() == WHY
        assert short(view.gate.digest) in await sam.page.locator(".decide").inner_text()
    assert (await pages.gateway.status(rollout)).status is Status.AWAITING_APPROVAL
