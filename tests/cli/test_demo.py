"""The demonstration as a newcomer runs it: the whole story, exit code 0, and nothing left behind; or with the gates
left to people."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.demo import PLAN, slower_after
from cli.plan import read_plan
from cli.service import Service
from models.command import Choice, Verb
from models.log import Outcome
from models.rollout import Phase, RolloutView
from tests.cli.conftest import Terminal
from tests.console.visitors import Browser
from tests.memory import server_directory
from tests.worker.process import PATIENCE, limited, patiently

STORY = (
    "Decision log opened",
    "Entered pilot",
    "Paused (guardrail): Lead follow-up SLA of pilot",
    "Resume refused: fresh evidence still stands in the way",
    "Resumed",
    "Entered validate",
    "approved validate_to_scale (3 of 3)",
    "Cohort wave-emea enrolled",
    "Cohort wave-amer enrolled",
    "Cohort wave-apac enrolled",
    "Rollout completed: 4 cohorts enrolled",
)
"""What the log tells, in this order."""

TELLING = 600.0
"""Seconds that the demonstration has for as much of its story as a test waits for."""


@pytest.mark.timeout(750)
async def test_the_demonstration_tells_its_whole_story_lets_people_decide_after_it_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    somebody = Terminal(tmp_path, tmp_path / "nothing")
    async with _running(somebody, "--keep") as (demo, story):
        told = await _told_until(demo, "The servers stay up; Ctrl-C ends them.")
        home = Path(told.rpartition("--dir ")[2].split()[0])
        assert home.is_absolute()
        link = re.search(r"\(finance_owner\): (http://\S+)", told)
        assert link is not None, told
        await _approve_another_one_in_the_browser(Terminal(tmp_path, home), link[1])
    ended, done = demo.returncode, await asyncio.wait_for(story, PATIENCE)
    assert "confirmed ownership as finance_owner" in done
    assert "Baselines measured: 30 of 30 have a value" in done
    at = 0
    for line in STORY:
        found = done.find(line, at)
        assert found >= 0, f"{line!r} does not follow in\n{done}"
        at = found
    assert (ended, list(home.parent.glob(home.name)), _processes_of(home)) == (0, [], [])


@pytest.mark.parametrize(("seconds", "slower"), [(11.2, 1.0), (20, 1.0), (30, 1.5), (121, 3.0)])
def test_days_are_longer_on_a_machine_that_took_long_to_begin(seconds: float, slower: float) -> None:
    assert slower_after(seconds) == slower


@asynccontextmanager
async def _running(
    somebody: Terminal, *words: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.Task[str]]]:
    """The demonstration, and the task that reads what it shows: with nobody to read that it would stand still. Ctrl-C
    ends it with the block, whatever happens in it; left running it would slow down whatever comes after."""
    demo = await somebody.start("demo", *words)
    story = asyncio.create_task(_read(demo.stdout))
    try:
        yield demo, story
    finally:
        if demo.returncode is None:
            demo.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(demo.wait(), PATIENCE)
        finally:
            if demo.returncode is None:
                demo.kill()
                await demo.wait()


async def _read(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    return (await stream.read()).decode()


async def _approve_another_one_in_the_browser(typed: Terminal, link: str) -> None:
    """A rollout that nobody plays, on the demonstration's servers, goes on by whoever followed the link."""
    name = "gold-tier-again"
    file = typed.folder / "again.yaml"
    file.write_text(PLAN.read_text().replace("id: gold-tier-rebate\n", f"id: {name}\n"))
    started = await typed("start", "-f", str(file), "--clock-start", "2025-04-01")
    assert started.code == 0, started.err
    for owner in read_plan(PLAN).owners:
        confirmed = await typed("confirm", name, "--as", owner.identity)
        assert confirmed.code == 0, confirmed.err

    async def waits() -> bool | None:
        return bool((await typed("get", name, "-o", "json")).data["gate"]) or None

    await patiently(waits, lambda: "its gate never opens")
    parts = urlsplit(link)
    browser = Browser(f"{parts.scheme}://{parts.netloc}")
    async with browser.client:
        await browser.sign_in("marcus.okafor@example.com", f"{parts.path}?{parts.query}")
        page = (await browser.get(f"/rollouts/{name}")).text
        hidden = re.findall(r'<input type="hidden" name="(gate|evidence_digest|plan_digest)" value="([^"]+)"', page)
        form = {"verb": "decide", "choice": "approve", "rationale": "read in the browser", **dict(hidden)}
        assert (await browser.post(f"/rollouts/{name}/confirm", form)).status_code == 200
        done = await browser.post(f"/rollouts/{name}/decide", form)
        assert done.status_code == 303, done.text
        receipt = (await browser.get(done.headers["location"])).text
        assert "Marcus Okafor" in receipt
    log = (await typed("decisions", name, "-o", "json")).data
    (approved,) = [one for one in log if one["verb"] == "decide"]
    assert (approved["outcome"], approved["rationale"]) == ("applied", "read in the browser")
    assert approved["signed_by"]["subject"] == "marcus.okafor@example.com"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Terminal]:
    """A directory for the demonstration's servers, which are down and gone in the end."""
    home = server_directory("partner-rollouts-tests-")
    found = Terminal(tmp_path, home)
    yield found
    await found("down")
    shutil.rmtree(home)


@pytest.mark.timeout(750)
async def test_by_hand_a_gate_waits_until_somebody_who_followed_a_link_approves(desk: Terminal) -> None:
    async with _running(desk, "--by-hand", "--dir", str(desk.home)) as (demo, _):
        told = await _told_until(demo, "Gate prepare_to_pilot waits for you")
        link = re.search(r"\(finance_owner\): (http://\S+)", told)
        assert link is not None, told
        parts = urlsplit(link[1])
        url = f"{parts.scheme}://{parts.netloc}"
        browser = Browser(url)
        async with browser.client:
            back = await browser.sign_in("marcus.okafor@example.com", f"{parts.path}?{parts.query}")
            assert (back.status_code, back.headers["location"]) == (303, "/rollouts/gold-tier-rebate")
            page = await browser.get(back.headers["location"])
            assert (page.status_code, "Marcus Okafor" in page.text) == (200, True)
        async with Service.at(url, browser.session) as service:
            # A played owner would have approved in half a second.
            await asyncio.sleep(4)
            view = await service.status("gold-tier-rebate")
            assert view.gate is not None
            assert (view.phase, view.gate.key, view.gate.approvals) == (Phase.PREPARE, "prepare_to_pilot", ())
            fields = {"gate": view.gate.key, "choice": Choice.APPROVE, "plan_digest": view.plan_digest}
            receipt = await service.decide(
                view.rollout_id, Verb.DECIDE, "read in the browser", **fields, evidence_digest=view.gate.digest
            )
            assert receipt.outcome is Outcome.APPLIED
            assert (await _left(service, view)).phase is Phase.PILOT
    rest = await asyncio.wait_for(_read(demo.stderr), PATIENCE)
    assert (demo.returncode, "Ended before the rollout was over." in rest) == (0, True)
    assert not _processes_of(desk.home)


async def _told_until(demo: asyncio.subprocess.Process, words: str) -> str:
    """What it has told, up to the line with these words."""
    assert demo.stderr is not None
    told = ""
    # However much it tells of something else meanwhile.
    async with limited(TELLING, lambda: f"it never tells {words!r}: {told}"):
        while words not in told:
            line = await demo.stderr.readline()
            assert line, f"it ended: {told}"
            told += line.decode()
    return told


async def _left(service: Service, before: RolloutView) -> RolloutView:
    """The first view in another phase."""
    async with asyncio.timeout(90):
        while True:
            view = await service.status(before.rollout_id)
            if view.phase is not before.phase:
                return view
            await asyncio.sleep(0.2)


def _processes_of(home: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [one for one in found if str(home) in one]
