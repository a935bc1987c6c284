"""Judging a pause by page and over the API, and the record as a page."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from console.pages.wishes import Unclear, wish_of
from console.pages.words import words_in
from models.command import PauseVerdict, Verb
from models.log import EntryKind
from models.rollout import Status
from tests.console.conftest import problem
from tests.console.stage import Stage, signed_in
from tests.console.test_api import Machine
from tests.console.test_pages import browser, text

REV, FIN = "rev.ops@example.com", "fin.finance@example.com"
WHY = "the file was late, nothing else"


async def paused(pages: Stage, name: str) -> int:
    """A rollout that the owner of the SLA paused; the sequence of the entry."""
    await pages.piloting(name, "Paused for nothing")
    await pages.ask(name, Verb.PAUSE, "revops_owner")
    await pages.recorded(await pages.until(name, Status.PAUSED))
    [entry] = [one for one in await pages.gateway.decisions(name) if one.kind is EntryKind.PAUSE]
    return entry.sequence


async def test_who_had_to_act_judges_a_pause_by_page_and_others_are_not_offered_it(pages: Stage) -> None:
    name = f"page-{uuid4().hex[:8]}"
    pause = await paused(pages, name)
    rev, fin = await browser(pages, REV), await browser(pages, FIN)
    assert "In hindsight it was" in text((await rev.get(f"/rollouts/{name}")).text)
    assert "In hindsight it was" not in text((await fin.get(f"/rollouts/{name}")).text)
    form = {"verb": "judge_pause", "pause": str(pause), "verdict": "false-alarm", "rationale": WHY}
    confirm = text((await rev.post(f"/rollouts/{name}/confirm", form)).text)
    assert f"the pause of entry {pause} was a false alarm. Nothing else changes." in confirm
    done = await rev.post(f"/rollouts/{name}/decide", form)
    assert done.status_code == 303, text(done.text)
    assert f"(entry {pause}): a false alarm" in text((await rev.get(done.headers["location"])).text)
    refused = await fin.post(f"/rollouts/{name}/decide", form)
    assert refused.status_code == 403
    assert (await pages.gateway.status(name)).status is Status.PAUSED

    await pages.recorded(await pages.gateway.status(name))
    record = await fin.get(f"/rollouts/{name}/record")
    assert record.status_code == 200
    assert record.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "judged a false alarm; Rev Ops: a false alarm (the file was late, nothing else)" in text(record.text)
    japanese = await fin.get(f"/rollouts/{name}/record", headers={"accept-language": "ja"})
    assert "決定記録: Paused for nothing" in japanese.text
    for one in (rev, fin):
        await one.client.aclose()


async def test_a_pause_is_judged_over_the_api_which_says_what_is_wrong_with_a_body(pages: Stage) -> None:
    name = f"page-{uuid4().hex[:8]}"
    pause = await paused(pages, name)
    asked: dict[str, Any] = {"verb": "judge_pause", "reason": WHY, "pause": pause, "verdict": "maybe"}
    machine = Machine(pages.address, await signed_in(pages, REV))
    async with machine.client as client:
        wrong = await client.post(f"/v1/rollouts/{name}/decisions", json=asked)
        beyond = await client.post(f"/v1/rollouts/{name}/decisions", json=asked | {"verdict": "right", "pause": 2**53})
        done = await client.post(f"/v1/rollouts/{name}/decisions", json=asked | {"verdict": "right"})
    assert [one["field"] for one in problem(beyond, 422)["errors"]] == ["judge_pause.pause"]
    assert [one["field"] for one in problem(wrong, 422)["errors"]] == ["judge_pause.verdict"]
    assert (done.status_code, done.json()["outcome"]) == (200, "applied")


async def test_there_is_no_record_of_what_there_is_not(pages: Stage) -> None:
    fin = await browser(pages, FIN)
    assert (await fin.get("/rollouts/there-is-none/record")).status_code == 404
    await fin.client.aclose()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *(({"pause": one}, "pause") for one in ("", "0", "-1", "x", "1.5", "\N{FULLWIDTH DIGIT ONE}", "9" * 18)),
        ({"pause": "9" * 5000}, "pause"),
        *(({"verdict": one}, "verdict") for one in ("", "maybe", "false alarm")),
    ],
)
def test_a_form_that_judges_nothing_is_told_which_field_is_wrong(changes: dict[str, str], field: str) -> None:
    form = {"verb": "judge_pause", "pause": "7", "verdict": "right", "rationale": WHY} | changes
    look: Any = None
    with pytest.raises(Unclear) as told:
        wish_of(words_in("en"), form, look, look)
    assert told.value.field == field


def test_a_form_is_read_into_the_request_it_means() -> None:
    look: Any = None
    form = {"verb": "judge_pause", "pause": "7", "verdict": "false-alarm", "rationale": WHY}
    wish = wish_of(words_in("en"), form, look, look)
    assert (wish.verb, wish.fields) == (Verb.JUDGE_PAUSE, {"pause": 7, "verdict": PauseVerdict.FALSE_ALARM})
