"""Standing in by page: an owner lets somebody act for them, who then has the owner's card, and takes it back."""

from __future__ import annotations

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from console.pages.wishes import Unclear, wish_of
from console.pages.words import words_in
from console.person import Person
from models.command import Verb
from models.plan import Decisions
from models.rollout import Phase, Status
from tests.console.stage import GATE, Stage
from tests.console.test_pages import SAM, browser, text
from tests.plans import signed_data
from tests.workflows.live import START

DANA, DEE = "dana.deputy@example.com", "dee.deputy@example.com"
OF_CONTACTS = "d.deputy@contacts.example.com"
WHY = "I am away until the end of the month"


def given(pages: Stage, **changes: str) -> dict[str, str]:
    """The form by which an owner lets Dana act for them."""
    form = {
        "verb": "delegate",
        "name": "Dana Deputy",
        "identity": DANA,
        "issuer": pages.site.provider.issuer,
        "subject": DANA,
        "until": "2036-05-01T12:00",
        "rationale": WHY,
    }
    return form | changes


async def test_an_owner_lets_somebody_act_who_decides_with_the_owner_s_voice(pages: Stage) -> None:
    name = f"page-{uuid4().hex[:8]}"
    await pages.at_gate(name, "Decided in their place")
    sam, dana = await browser(pages), await browser(pages, DANA)
    assert "decide nothing" in text((await dana.get(f"/rollouts/{name}")).text)
    before = await pages.gateway.status(name)
    confirm = text((await sam.post(f"/rollouts/{name}/confirm", given(pages))).text)
    assert f"Dana Deputy ({DANA}) acts for you until 2036-05-01 12:00" in confirm
    assert f"They sign as {DANA} at {pages.site.provider.issuer}" in confirm
    assert (await pages.gateway.status(name)).entries == before.entries, "nothing is done before it is confirmed"
    done = await sam.post(f"/rollouts/{name}/decide", given(pages))
    assert done.status_code == 303, text(done.text)
    receipt = text((await sam.get(done.headers["location"])).text)
    assert f"Dana Deputy ({DANA}) acts for Sam Sponsor (sponsor) until 2036-05-01 12:00" in receipt
    assert "signed" in receipt

    await pages.recorded(await pages.gateway.status(name))
    assert "Decided in their place" in text((await dana.get("/")).text)
    assert (await dana.get("/v1/inbox")).json()["waiting"][0]["rollout"] == name
    for one in (sam, dana):
        told = text((await one.get(f"/rollouts/{name}")).text)
        assert f"Dana Deputy ({DANA}) acts for Sam Sponsor, sponsor, until 1 May 2036 12:00 UTC" in told
    card = (await dana.get(f"/rollouts/{name}")).text
    assert "You act for Sam Sponsor, sponsor, until" in text(card)
    assert 'value="delegate"' not in card, "who stands in does not hand it on"
    fields = dict(re.findall(r'<input type="hidden" name="(gate|evidence_digest|plan_digest)" value="([^"]+)"', card))
    decided = {"verb": "decide", "choice": "approve", "rationale": "Sam and I went through it"} | fields
    assert "In the place of Sam Sponsor, sponsor." in text((await dana.post(f"/rollouts/{name}/confirm", decided)).text)
    answer = await dana.post(f"/rollouts/{name}/decide", decided)
    assert answer.status_code == 303, text(answer.text)
    assert "Dana Deputy for Sam Sponsor (sponsor)" in text((await dana.get(answer.headers["location"])).text)
    assert (await pages.until(name, Status.RUNNING)).phase is Phase.PILOT
    for one in (sam, dana):
        await one.client.aclose()


async def test_who_acts_for_an_owner_and_signs_in_by_another_address_finds_it_in_the_inbox_by_name(
    pages: Stage,
) -> None:
    name = f"page-{uuid4().hex[:8]}"
    await pages.at_gate(name, "Known by subject")
    sam, dana = await browser(pages), await browser(pages, DANA)
    namesake = await browser(pages, OF_CONTACTS)
    # Her signature is that of the address she signs in with; Sam knows her by another one.
    delegated = given(pages, identity=OF_CONTACTS, subject=DANA)
    assert (await sam.post(f"/rollouts/{name}/decide", delegated)).status_code == 303
    await pages.recorded(await pages.gateway.status(name))
    inbox = text((await dana.get("/")).text)
    assert "Known by subject" in inbox
    assert "Known by subject" in text((await dana.get("/rollouts?mine=1")).text)
    assert [one["rollout"] for one in (await dana.get("/v1/inbox")).json()["waiting"]] == [name]
    # Who merely has that address is somebody else.
    assert "Known by subject" not in text((await namesake.get("/")).text)
    assert (await namesake.get("/v1/inbox")).json()["waiting"] == []
    told = text((await dana.get(f"/rollouts/{name}")).text)
    assert "You act for Sam Sponsor, sponsor, until" in told
    who = re.search(r"Who must act(.*?)Who acts for whom", told)
    assert who is not None
    assert ("Dana Deputy" in who[1], OF_CONTACTS in who[1]) == (True, False)
    # She hears of it, too, at the address that Sam gave.
    contacts = await pages.pool.fetch("select contact from notice where rollout_id = $1 and kind = 'paused'", name)
    assert contacts == []
    await pages.ask(name, Verb.PAUSE, "sponsor")
    await pages.recorded(await pages.gateway.status(name))
    contacts = await pages.pool.fetch("select contact from notice where rollout_id = $1 and kind = 'paused'", name)
    assert {one["contact"] for one in contacts} >= {"sam.sponsor@example.com", OF_CONTACTS}
    for one in (sam, dana, namesake):
        await one.client.aclose()


async def test_an_owner_takes_it_back_and_an_end_that_was_left_out_does_not(pages: Stage) -> None:
    name = f"page-{uuid4().hex[:8]}"
    await pages.at_gate(name)
    sam, dee = await browser(pages), await browser(pages, DEE)
    # By address alone: nobody said whose signature is theirs, and decisions are unsigned here.
    dees = given(pages, identity=DEE, name="Dee Deputy", subject="")
    assert (await sam.post(f"/rollouts/{name}/decide", dees)).status_code == 303
    assert "You act for Sam Sponsor" in text((await dee.get(f"/rollouts/{name}")).text)
    assert (await sam.post(f"/rollouts/{name}/decide", dees | {"until": ""})).status_code == 422
    assert len((await pages.gateway.status(name)).delegations) == 1
    back = {"verb": "delegate", "take_back": "1", "identity": DEE, "name": "Dee Deputy", "rationale": "I am here again"}
    shown = (await sam.get(f"/rollouts/{name}")).text
    assert 'name="take_back" value="1"' in shown
    confirm = text((await sam.post(f"/rollouts/{name}/confirm", back)).text)
    assert "Dee Deputy acts for you no longer" in confirm
    assert "Yes: Act in person again" in confirm
    assert (await sam.post(f"/rollouts/{name}/decide", back)).status_code == 303
    assert (await pages.gateway.status(name)).delegations == ()
    assert "decide nothing" in text((await dee.get(f"/rollouts/{name}")).text)
    refused = await dee.post(f"/rollouts/{name}/decide", {"verb": "pause", "rationale": "nobody lets me any more"})
    assert refused.status_code == 403
    for one in (sam, dee):
        await one.client.aclose()


async def test_a_namesake_of_an_owner_who_signs_in_elsewhere_is_offered_nothing(pages: Stage) -> None:
    name = f"page-{uuid4().hex[:8]}"
    await pages.at_gate(name, "Of another Sam", owners=signed_data()["owners"])
    sam = await browser(pages)
    page = (await sam.get(f"/rollouts/{name}")).text
    assert "decide nothing" in text(page)
    assert "<textarea" not in page
    assert "Of another Sam" not in (await sam.get("/")).text
    await sam.client.aclose()


@pytest.mark.parametrize("verb", ["override", "stop", "delegate"])
async def test_a_form_that_says_nothing_but_its_verb_and_why_is_asked_for_the_rest(pages: Stage, verb: str) -> None:
    sam = await browser(pages)
    for step in ("confirm", "decide"):
        answer = await sam.post(f"/rollouts/{GATE}/{step}", {"verb": verb, "rationale": WHY})
        assert (answer.status_code, "Nothing has been done yet." in answer.text) == (422, True)
    await sam.client.aclose()


async def test_a_delegation_that_cannot_be_meant_is_asked_for_again_and_nothing_is_sent(pages: Stage) -> None:
    sam = await browser(pages)
    before = (await pages.gateway.status(GATE)).entries
    for changes, said in (
        ({"identity": "dana"}, "an e-mail address and a name"),
        ({"name": "  "}, "an e-mail address and a name"),
        ({"until": ""}, "Say until when"),
        ({"until": "soon"}, "Say until when"),
        ({"until": "2020-01-01T00:00"}, "It must end in the future"),
    ):
        for step in ("confirm", "decide"):
            answer = await sam.post(f"/rollouts/{GATE}/{step}", given(pages, **changes))
            assert (answer.status_code, said in text(answer.text)) == (422, True), changes
    assert (await pages.gateway.status(GATE)).entries == before
    await sam.client.aclose()


@pytest.mark.parametrize("decisions", Decisions)
def test_where_decisions_are_signed_a_form_must_say_whose_signature_it_will_be(decisions: Decisions) -> None:
    look: Any = SimpleNamespace(view=SimpleNamespace(programme_now=START, decisions=decisions))
    person = Person(issuer="https://id.example.com", subject="sam", identity=SAM, name="Sam Sponsor", auth_time=0)
    form = {"verb": "delegate", "name": "Dana", "identity": DANA, "rationale": WHY, "issuer": person.issuer}
    form |= {"until": (START + timedelta(days=1)).isoformat()}
    if decisions is Decisions.SIGNED:
        with pytest.raises(Unclear, match="Decisions are signed here"):
            wish_of(words_in("en"), form, look, person)
    else:
        assert "subject" not in wish_of(words_in("en"), form, look, person).fields
    whole = wish_of(words_in("en"), form | {"subject": "dana"}, look, person).fields
    assert (whole["issuer"], whole["subject"]) == (person.issuer, "dana")
