"""Judging pauses by page: the inbox lists those that are over and unjudged to whoever had to act, and nobody else."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest

from console.pages.judging import waiting
from models.command import PauseVerdict, Verb
from models.log import Outcome
from models.plan import Owner, RolloutPlan
from models.rollout import Status
from tests.console.stage import PAUSED, Stage
from tests.console.test_delegating import DANA, given
from tests.console.test_pages import ENA, SAM, browser, text
from tests.learning.stories import PLAN, breach, paused_and_finished
from tests.workflows.simulator import Simulator
from tests.workflows.test_hindsight import PROPOSED

DAY = timedelta(days=1)

WHY = "The price list was right after all"


def asked_of(rollout: Simulator, owner: Owner) -> tuple[int, ...]:
    """The entries of the pauses that an owner is asked about."""
    return tuple(one.sequence for one in waiting(rollout.plan, owner, rollout.recorded))


def taken_from(rollout: Simulator, owner: Owner) -> tuple[int, ...]:
    """The entries of the pauses on which the rollout would take an owner's judgement; it keeps none of them."""
    kept, log, taken = rollout.state, tuple(rollout.recorded), []
    for pause in kept.pauses:
        told = {"pause": pause.sequence, "verdict": PauseVerdict.RIGHT}
        if rollout.ask(Verb.JUDGE_PAUSE, owner.identity, WHY, **told).outcome is Outcome.APPLIED:
            taken.append(pause.sequence)
    rollout.state, rollout.recorded = kept, list(log)
    return tuple(taken)


@pytest.mark.parametrize(("plan", "breached"), [(PLAN, {"Rev Ops"}), (PROPOSED, {"Ren Ops"})], ids=["plain", "own"])
def test_asked_is_everybody_whose_judgement_the_rollout_would_take_and_nobody_else(
    plan: RolloutPlan, breached: set[str]
) -> None:
    """After a breach, where the proposer may be one of those who had to act, and after a person's pause."""
    rollout = Simulator(plan)
    rollout.to_pilot()
    rollout.wait(5 * DAY)
    breach(rollout)
    assert not [one for one in plan.owners if asked_of(rollout, one)], "it stands"
    rollout.wait(DAY)
    rollout.verdicts.clear()
    rollout.ask(Verb.RESUME, "ren.ops@example.com" if plan is PROPOSED else "revops_owner", "staff is back")
    rollout.ask(Verb.PAUSE, "finance_owner", "wrong price list")
    rollout.wait(DAY)
    rollout.ask(Verb.RESUME, "finance_owner", "price list mended")
    first, second = (one.sequence for one in rollout.state.pauses)
    assert {one.name for one in plan.owners if first in asked_of(rollout, one)} == breached
    assert "Fin Finance" in {one.name for one in plan.owners if second in asked_of(rollout, one)}
    for owner in plan.owners:
        assert asked_of(rollout, owner) == taken_from(rollout, owner), owner.name


def test_what_anybody_has_judged_is_asked_of_nobody_any_more() -> None:
    rollout = paused_and_finished(PauseVerdict.RIGHT)
    [first, second] = rollout.state.pauses
    asked = {one.role: asked_of(rollout, one) for one in rollout.plan.owners}
    assert not [role for role, entries in asked.items() if first.sequence in entries]
    assert asked["finance_owner"] == (second.sequence,)


async def was_paused(pages: Stage, title: str) -> tuple[str, int]:
    """A rollout in its pilot that its sponsor paused and resumed; its name, and the entry that tells of the pause."""
    name = f"page-{uuid4().hex[:8]}"
    await pages.piloting(name, title)
    await pages.ask(name, Verb.PAUSE, "sponsor", "the price list looks wrong")
    await pages.until(name, Status.PAUSED)
    await pages.ask(name, Verb.RESUME, "sponsor", "the price list is mended")
    view = await pages.recorded(await pages.until(name, Status.RUNNING))
    [pause] = view.unjudged
    return name, pause.sequence


async def test_who_had_to_act_is_asked_in_the_inbox_judges_there_and_is_asked_no_more(pages: Stage) -> None:
    name, entry = await was_paused(pages, "Judged in the inbox")
    sam, ena = await browser(pages), await browser(pages, ENA)
    inbox = (await sam.get("/")).text
    assert f'action="/rollouts/{name}/confirm"' in inbox
    assert f'<input type="hidden" name="pause" value="{entry}">' in inbox
    assert "was it right, or a false alarm?" in text(inbox) or "were they right, or false alarms?" in text(inbox)
    assert f'id="{name}-{entry}-why"' in inbox
    assert name not in (await ena.get("/")).text, "who had not to act does not judge"
    for who, asked in ((sam, [(name, entry)]), (ena, [])):
        to_judge = (await who.get("/v1/inbox")).json()["to_judge"]
        assert [(one["rollout"], one["pause"]) for one in to_judge if one["rollout"] == name] == asked
    # The form as the page has it, then the page that confirms it, then the receipt.
    form = {"verb": "judge_pause", "pause": f"{entry}", "verdict": "false-alarm", "rationale": WHY}
    confirm = text((await sam.post(f"/rollouts/{name}/confirm", form)).text)
    assert f"It is written down that the pause of entry {entry} was a false alarm." in confirm
    assert name in (await sam.get("/")).text, "nothing is done before it is confirmed"
    done = await sam.post(f"/rollouts/{name}/decide", form)
    assert done.status_code == 303, text(done.text)
    view = await pages.recorded(await pages.gateway.status(name))
    assert view.unjudged == ()
    assert name not in (await sam.get("/")).text
    for one in (sam, ena):
        await one.client.aclose()


async def test_who_acts_for_them_is_asked_as_well(pages: Stage) -> None:
    name, entry = await was_paused(pages, "Judged in their place")
    sam, dana = await browser(pages), await browser(pages, DANA)
    assert name not in (await dana.get("/")).text
    assert (await sam.post(f"/rollouts/{name}/decide", given(pages))).status_code == 303
    await pages.recorded(await pages.gateway.status(name))
    assert f'id="{name}-{entry}-why"' in (await dana.get("/")).text
    assert [one["pause"] for one in (await dana.get("/v1/inbox")).json()["to_judge"]] == [entry]
    for one in (sam, dana):
        await one.client.aclose()


async def test_a_pause_that_stands_is_not_asked_about_and_one_that_was_judged_neither(pages: Stage) -> None:
    view = await pages.gateway.status(PAUSED)
    assert view.pause is not None
    assert view.unjudged == ()
    rev = await browser(pages, "rev.ops@example.com")
    assert f'action="/rollouts/{PAUSED}/confirm"' not in (await rev.get("/")).text
    name, entry = await was_paused(pages, "Judged already")
    await pages.ask(name, Verb.JUDGE_PAUSE, "sponsor", WHY, pause=entry, verdict=PauseVerdict.RIGHT)
    await pages.recorded(await pages.gateway.status(name))
    sam = await browser(pages)
    assert name not in (await sam.get("/")).text
    for one in (rev, sam):
        await one.client.aclose()


async def test_the_page_asks_in_japanese(pages: Stage) -> None:
    _, entry = await was_paused(pages, "Asked in Japanese")
    sam = await browser(pages, SAM)
    told = (await sam.get("/", headers={"accept-language": "ja"})).text
    asked = re.search(r'<section id="hindsight".*?</section>', told, re.DOTALL)
    assert asked is not None
    # Pauses of other rollouts may stand there as well.
    lead, *items = asked[0].split('<li class="card item">')
    [item] = [one for one in items if ">Asked in Japanese</a>" in one]
    assert f'name="pause" value="{entry}"' in item
    assert "振り返ってみると" in item
    # What stands in English is the log's and the plan's own; nothing of the page is.
    bare = re.sub(r'<(p class="small" lang="en"|h3).*?</(p|h3)>|<[^>]+>', " ", lead + item)
    bare = re.sub(r"page-[0-9a-f]{8}|Rev Ops|Sam Sponsor|Asked in Japanese|UTC", " ", bare)
    assert not re.search(r"[A-Za-z]{3,}", bare), bare
    await sam.client.aclose()
