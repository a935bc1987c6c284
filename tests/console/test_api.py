"""Decisions over the API, at real rollouts: signed as the person, judged by the rollout, and told as what they are."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from cli.home import Place
from console.devissuer import DEPUTY, ON_CALL, PROGRAMME
from console.gateway import Gateway
from console.settings import ConsoleSettings
from console.signing import load_signer
from console.site import Site
from models.claims import Claims, request_digest
from models.command import COMMANDS, Verb
from models.log import Outcome
from models.plan import RolloutPlan
from models.rollout import RolloutView, Status
from tests.claimed import claimed
from tests.cli.conftest import Rollout, Terminal, gateway, rollout, stores, terminal  # noqa: F401
from tests.console.conftest import problem
from tests.console.visitors import NOWHERE, Browser, serving
from tests.plans import PILOT, make_plan, plan_data

SETTINGS = ConsoleSettings(sign_ins_per_minute=1000, decisions_per_minute=1000)


@pytest.fixture
async def site(terminal: Terminal, gateway: Gateway) -> AsyncIterator[Site]:  # noqa: F811
    signer = load_signer(Place(terminal.home).signing_key, "partner-rollouts")
    async with serving(_dsn(terminal), SETTINGS, gateway, signer) as found:
        yield found


def _dsn(terminal: Terminal) -> str:  # noqa: F811
    return Place(terminal.home).dsn


class Machine:
    """Acts for a person, by the token of their session."""

    def __init__(self, url: str, token: str) -> None:
        self.client = httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=90)

    async def get(self, path: str) -> Any:
        told = await self.client.get(path)
        assert told.status_code == 200, told.text
        return told.json()

    async def decide(self, name: str, verb: str, reason: str = "because", **fields: Any) -> httpx.Response:
        body = {"verb": verb, "reason": reason, **fields}
        return await self.client.post(f"/v1/rollouts/{name}/decisions", json=body)


ActingFor = Callable[[Site, str], Awaitable[Machine]]


@pytest.fixture
async def acting_for() -> AsyncIterator[ActingFor]:
    """Somebody's machine, by who they are."""
    async with contextlib.AsyncExitStack() as open_ones:

        async def act(site: Site, persona: str) -> Machine:
            browser = Browser(site.url)
            async with browser.client:
                await browser.sign_in(persona)
                assert browser.session is not None
                machine = Machine(site.url, browser.session)
            await open_ones.enter_async_context(machine.client)
            return machine

        yield act


def _at(view: RolloutView, **changed: Any) -> dict[str, Any]:
    assert view.gate is not None
    right = {
        "gate": view.gate.key,
        "choice": "approve",
        "plan_digest": view.plan_digest,
        "evidence_digest": view.gate.digest,
    }
    return right | changed


async def test_an_owner_approves_and_the_request_bears_a_signature_of_just_that(
    site: Site,
    acting_for: ActingFor,
    rollout: Rollout,  # noqa: F811
) -> None:
    view = await rollout.to_gate()
    sponsor = await acting_for(site, rollout.who("sponsor"))
    told = await sponsor.decide(rollout.name, "decide", "margin holds", **_at(view), request_id="the-one-request")
    assert told.status_code == 200, told.text
    assert (told.json()["outcome"], told.json()["request_id"]) == ("applied", "the-one-request")
    sent = await _sent(rollout, "the-one-request")
    token = sent.pop("token")
    key = OKPKey.import_key(site.signer.public.model_dump())
    signed = jws.deserialize_compact(token, key, algorithms=["Ed25519"])
    assert signed.headers() == {"typ": "decision+jws", "alg": "Ed25519", "kid": site.signer.public.kid}
    claims = Claims.model_validate_json(signed.payload)
    described = await rollout.gateway.handle(rollout.name).describe()
    assert claims.model_dump(exclude={"iat", "exp", "auth_time", "name"}) == {
        "ver": 1,
        "aud": "partner-rollouts",
        "wf": f"rollout/{rollout.name}",
        "chain": described.raw_description.workflow_execution_info.first_run_id,
        "plan": rollout.plan.digest,
        "verb": Verb.DECIDE,
        "gate": view.gate.key if view.gate else None,
        "role": "sponsor",
        "iss": site.provider.issuer,
        "sub": rollout.who("sponsor"),
        "decision": "approve",
        "rationale": "margin holds",
        "evidence": view.gate.digest if view.gate else None,
        "request": request_digest(COMMANDS[Verb.DECIDE].model_validate_json(json.dumps(sent))),
        "jti": "the-one-request",
        "amr": ("dev",),
    }
    assert claims.exp - claims.iat == 600
    # The very same once more is the same request, and says so.
    again = await sponsor.decide(rollout.name, "decide", "margin holds", **_at(view), request_id="the-one-request")
    assert (again.status_code, again.json()) == (200, told.json())
    # Somebody else's by the same id is another one, and gets no answer that is not theirs.
    finance = await acting_for(site, rollout.who("finance_owner"))
    other = await finance.decide(rollout.name, "acknowledge", request_id="the-one-request")
    assert "duplicate" in problem(other, 409)["detail"]


async def _sent(rollout: Rollout, request_id: str) -> dict[str, Any]:  # noqa: F811
    """What the rollout's history has of a request, as it came."""
    async for _, events in rollout.gateway.runs(rollout.name):
        for event in events:
            update = event.workflow_execution_update_accepted_event_attributes.accepted_request.input.args.payloads
            signal = event.workflow_execution_signaled_event_attributes.input.payloads
            for payload in (*update, *signal):
                body: dict[str, Any] = json.loads(payload.data)
                if body.get("request_id") == request_id:
                    return body
    raise AssertionError("the history has no such request")


async def test_whoever_may_not_is_told_so_and_the_attempt_stands_in_the_log(
    site: Site,
    acting_for: ActingFor,
    rollout: Rollout,  # noqa: F811
) -> None:
    view = await rollout.to_gate()
    for persona, words in ((PROGRAMME, "not an owner"), (rollout.plan.proposer, "")):
        person = await acting_for(site, persona)
        told = await person.decide(rollout.name, "decide", "let me in", **_at(view))
        body = problem(told, 403)
        assert words in body["detail"]
        entries = await person.get(f"/v1/rollouts/{rollout.name}/decisions")
        entry = next(one for one in entries if one["sequence"] == body["receipt"]["sequence"])
        assert (entry["actor"], entry["rationale"], entry["outcome"]) == (persona, "let me in", "refused")
    assert (await rollout.gateway.status(rollout.name)).gate == view.gate


async def test_what_was_decided_on_other_evidence_is_refused_as_that(
    site: Site,
    acting_for: ActingFor,
    rollout: Rollout,  # noqa: F811
) -> None:
    view = await rollout.to_gate()
    sponsor = await acting_for(site, rollout.who("sponsor"))
    for changed, words in (
        ({"evidence_digest": "sha256:" + "0" * 64}, "stale"),
        ({"plan_digest": "sha256:" + "0" * 64}, "another version"),
        ({"gate": "wave_2"}, "not open"),
    ):
        told = await sponsor.decide(rollout.name, "decide", **_at(view, **changed))
        assert words in problem(told, 409)["detail"]
    assert (await rollout.gateway.status(rollout.name)).gate == view.gate


async def test_a_pause_is_signed_for_a_day_and_what_waits_stands_in_the_inbox(
    site: Site,
    acting_for: ActingFor,
    rollout: Rollout,  # noqa: F811
) -> None:
    await rollout.to_gate()
    sponsor = await acting_for(site, rollout.who("sponsor"))
    mine = [one for one in (await sponsor.get("/v1/inbox"))["waiting"] if one["rollout"] == rollout.name]
    assert [one["what"] for one in mine] == ["decide prepare_to_pilot"]
    assert mine[0]["evidence_digest"].startswith("sha256:")
    programme = await acting_for(site, PROGRAMME)
    assert not [one for one in (await programme.get("/v1/inbox"))["waiting"] if one["rollout"] == rollout.name]
    assert rollout.name in [one["rollout"] for one in await programme.get("/v1/rollouts")]
    told = await sponsor.decide(rollout.name, "pause", "wrong price list", request_id="pause-it-now")
    assert told.status_code == 200, told.text
    claims = json.loads(jws.extract_compact((await _sent(rollout, "pause-it-now"))["token"].encode()).payload)
    assert claims["exp"] - claims["iat"] == 86_400
    assert (await sponsor.get(f"/v1/rollouts/{rollout.name}"))["status"] == "paused"
    told = await (await acting_for(site, ON_CALL)).decide(rollout.name, "resume", "go on")
    problem(told, 403)


async def test_who_signed_in_too_long_ago_must_do_so_again_and_nothing_is_sent(
    site: Site,
    acting_for: ActingFor,
    rollout: Rollout,  # noqa: F811
    terminal: Terminal,  # noqa: F811
) -> None:
    sponsor = await acting_for(site, rollout.who("sponsor"))
    conn = await asyncpg.connect(_dsn(terminal))
    await conn.execute("update session set auth_time = auth_time - 301 where identity = $1", rollout.who("sponsor"))
    await conn.close()
    told = await sponsor.decide(rollout.name, "pause")
    problem(told, 401)
    assert 'error="insufficient_user_authentication", max_age="300"' in told.headers["www-authenticate"]
    assert not [one for one in await rollout.gateway.decisions(rollout.name) if one.request_id]
    # To read is another thing.
    await sponsor.get(f"/v1/rollouts/{rollout.name}")


async def test_what_cannot_be_read_is_told_field_by_field_and_reaches_no_rollout(
    site: Site,
    acting_for: ActingFor,
    rollout: Rollout,  # noqa: F811
) -> None:
    sponsor = await acting_for(site, rollout.who("sponsor"))
    for fields, field in (
        ({"verb": "decide"}, "gate"),
        ({"verb": "report_breach"}, "body"),
        ({"verb": "pause", "actor": "somebody@else.example"}, "actor"),
        ({"verb": "pause", "token": "x"}, "token"),
        ({"verb": "pause", "reason": "no"}, "reason"),
        ({"verb": "pause", "request_id": "short"}, "request_id"),
        ({"verb": "override", "metric": "mdf_spend", "until": "2026-01-01T00:00:00"}, "until"),
    ):
        told = await sponsor.decide(rollout.name, **fields)
        errors = problem(told, 422)["errors"]
        assert any(field in one["field"] for one in errors), errors
    for body, status in ((b"{", 400), (b'{"verb":"pause","verb":"stop","reason":"because"}', 400), (b"[]", 422)):
        told = await sponsor.client.post(
            f"/v1/rollouts/{rollout.name}/decisions", content=body, headers={"content-type": "application/json"}
        )
        problem(told, status)
    problem(await sponsor.client.post(f"/v1/rollouts/{rollout.name}/decisions", content=b"{}"), 415)
    problem(await sponsor.decide("no-such-plan", "pause"), 404)
    problem(await sponsor.decide("No-Name", "pause"), 422)
    assert not [one for one in await rollout.gateway.decisions(rollout.name) if one.request_id]


def _starting(plan: RolloutPlan) -> dict[str, Any]:
    return {"plan": plan.model_dump(mode="json", by_alias=True), "clock_start": "2026-01-05T00:00:00Z"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("clock_start", "9998-12-31T00:00:00Z"),
        ("clock_start", "2200-01-02T00:00:00Z"),
        ("clock_start", "1899-12-31T23:59:59Z"),
        ("clock_start", "10000-01-01T00:00:00Z"),
        ("clock_speed", 10_000_001),
        ("clock_speed", 1e308),
        ("clock_speed", 0),
        ("clock_speed", -1),
    ],
)
async def test_a_clock_that_would_leave_the_calendar_is_refused_with_the_field_and_nothing_starts(
    site: Site, acting_for: ActingFor, field: str, value: Any
) -> None:
    programme = await acting_for(site, PROGRAMME)
    plan = make_plan(id=f"plan-{uuid4().hex[:8]}")
    told = problem(await programme.client.post("/v1/rollouts", json=_starting(plan) | {field: value}), 422)
    assert [one["field"] for one in told["errors"]] == [field]
    assert told["errors"][0]["allowed"]
    problem(await programme.client.get(f"/v1/rollouts/{plan.id}"), 404)


async def test_who_may_start_starts_a_plan_once(site: Site, acting_for: ActingFor) -> None:
    programme = await acting_for(site, PROGRAMME)
    plan = make_plan(id=f"plan-{uuid4().hex[:8]}")
    body = _starting(plan)
    problem(await (await acting_for(site, ON_CALL)).client.post("/v1/rollouts", json=body), 403)
    for status, started in ((201, True), (200, False)):
        told = await programme.client.post("/v1/rollouts", json=body)
        assert (told.status_code, told.json()) == (
            status,
            {"rollout": plan.id, "digest": plan.digest, "started": started},
        )
    other = make_plan(id=plan.id, title="Another plan")
    told = await programme.client.post(
        "/v1/rollouts", json=body | {"plan": other.model_dump(mode="json", by_alias=True)}
    )
    assert "another version" in problem(told, 409)["detail"].lower()
    nobody, data = f"plan-{uuid4().hex[:8]}", plan_data()
    data["cohorts"]["pilot"] = {"name": "pilot", "select": {"tier": ["no such tier"]}}
    empty = make_plan(id=nobody, cohorts=data["cohorts"])
    told = await programme.client.post("/v1/rollouts", json=_starting(empty))
    [error] = problem(told, 422)["errors"]
    assert (error["field"], error["found"]) == ("cohorts.pilot.select", "0 partners for pilot as of 2026-01-05")
    assert "partners known by then have: tier " in error["allowed"]
    problem(await programme.client.get(f"/v1/rollouts/{nobody}"), 404)
    broken = body | {"plan": {**plan.model_dump(mode="json", by_alias=True), "owners": []}}
    assert problem(await programme.client.post("/v1/rollouts", json=broken), 422)["errors"]


def _signed(site: Site) -> RolloutPlan:
    """A plan whose owners sign in here."""
    data = plan_data(id=f"plan-{uuid4().hex[:8]}", decisions="signed")
    data["owners"] = [
        {**one, "issuer": site.provider.issuer, "subject": f"{one['role']}@here.example"} for one in data["owners"]
    ]
    return RolloutPlan.model_validate_json(json.dumps(data))


async def test_where_decisions_are_signed_the_service_s_word_counts_and_nobody_elses(
    site: Site,
    acting_for: ActingFor,
    gateway: Gateway,  # noqa: F811
) -> None:
    plan = _signed(site)
    programme = await acting_for(site, PROGRAMME)
    told = await programme.client.post("/v1/rollouts", json=_starting(plan))
    assert told.status_code == 201, told.text
    rollout = Rollout(gateway, plan)  # noqa: F811
    await rollout.until(Status.RUNNING, Status.HOLDING)
    for owner in plan.owners:
        # Whoever reaches Temporal can name anybody, and proves nothing by it.
        command = claimed(Verb.CONFIRM_OWNERSHIP, owner.identity, "because", role=owner.role)
        receipt = await gateway.deliver(plan.id, Verb.CONFIRM_OWNERSHIP, command)
        assert (receipt.outcome, "no signature proves" in receipt.message) == (Outcome.REFUSED, True)
        person = await acting_for(site, owner.identity)
        told = await person.decide(plan.id, "confirm_ownership", role=owner.role)
        assert (told.status_code, told.json()["outcome"]) == (200, "applied"), told.text
    view = await rollout.until(Status.AWAITING_APPROVAL)
    finance = await acting_for(site, rollout.who("finance_owner"))
    problem(await finance.decide(plan.id, "decide", **_at(view)), 403)
    on_call = await acting_for(site, ON_CALL)
    problem(await on_call.decide(plan.id, "decide", **_at(view)), 403)
    sponsor = await acting_for(site, rollout.who("sponsor"))
    assert (await sponsor.decide(plan.id, "decide", **_at(view))).status_code == 200
    # Its wave of partners is enrolled on the word of that signature.
    await rollout.until(Status.RUNNING)
    entries = await sponsor.get(f"/v1/rollouts/{plan.id}/decisions")
    approved = next(one for one in entries if one["verb"] == "decide" and one["outcome"] == "applied")
    assert approved["signed_by"] == {
        "issuer": site.provider.issuer,
        "subject": "sponsor@here.example",
        "name": "Sam Sponsor",
    }
    # In an emergency the on-call stops the clock, and nobody but an owner starts it again.
    assert (await on_call.decide(plan.id, "pause", "wrong price list")).status_code == 200
    problem(await on_call.decide(plan.id, "resume", "all is well"), 403)
    assert (await gateway.status(plan.id)).status is Status.PAUSED


async def test_where_decisions_are_signed_an_owner_lets_somebody_act_by_the_page_whose_own_signature_then_counts(
    site: Site,
    terminal: Terminal,  # noqa: F811
    acting_for: ActingFor,
    gateway: Gateway,  # noqa: F811
) -> None:
    plan = _signed(site)
    rollout = Rollout(gateway, plan)  # noqa: F811
    programme = await acting_for(site, PROGRAMME)
    assert (await programme.client.post("/v1/rollouts", json=_starting(plan))).status_code == 201
    await rollout.until(Status.RUNNING, Status.HOLDING)
    for owner in plan.owners:
        person = await acting_for(site, owner.identity)
        assert (await person.decide(plan.id, "confirm_ownership", role=owner.role)).status_code == 200
    view = await rollout.until(Status.AWAITING_APPROVAL)
    deputy = await acting_for(site, DEPUTY)
    problem(await deputy.decide(plan.id, "decide", **_at(view)), 403)

    form = {"verb": "delegate", "name": "Dee Deputy", "identity": DEPUTY, "rationale": "I am away until May"}
    whose = {"issuer": site.provider.issuer, "subject": DEPUTY, "until": "2036-05-01T12:00"}
    sam = Browser(site.url)
    async with sam.client:
        await sam.sign_in(rollout.who("sponsor"))
        card = (await sam.get(f"/rollouts/{plan.id}")).text
        assert re.search(r'name="subject"[^>]* required', card)
        nameless = await sam.post(f"/rollouts/{plan.id}/decide", form | whose | {"subject": "", "issuer": ""})
        assert nameless.status_code == 422
        done = await sam.post(f"/rollouts/{plan.id}/decide", form | whose)
        assert done.status_code == 303, done.text
    assert (await deputy.decide(plan.id, "decide", "Sam and I went through it", **_at(view))).status_code == 200
    await rollout.until(Status.RUNNING)
    entries = await deputy.get(f"/v1/rollouts/{plan.id}/decisions")
    delegated, approved = (
        next(one for one in reversed(entries) if one["verb"] == verb and one["outcome"] == "applied")
        for verb in ("delegate", "decide")
    )
    assert (delegated["signed_by"]["subject"], approved["signed_by"]["subject"]) == ("sponsor@here.example", DEPUTY)
    assert approved["detail"]["on_behalf_of"] == rollout.who("sponsor")
    # The workers that enrol look for themselves: the deputy's word and the owner's that lets them give it.
    await rollout.at_rest()
    conn = await asyncpg.connect(_dsn(terminal))
    enrolled = await conn.fetchval("select count(*) from enrolment where rollout_id = $1", plan.id)
    await conn.close()
    assert enrolled == len(PILOT)


async def test_a_plan_that_does_not_say_who_signs_is_not_started_where_decisions_are_signed(
    site: Site, acting_for: ActingFor
) -> None:
    programme = await acting_for(site, PROGRAMME)
    data = plan_data(id=f"plan-{uuid4().hex[:8]}", decisions="signed")
    told = await programme.client.post("/v1/rollouts", json={"plan": data})
    problem(told, 422)


async def test_while_temporal_is_away_it_says_so_and_a_person_can_send_only_so_often(
    database: str, acting_for: ActingFor
) -> None:
    few = ConsoleSettings(sign_ins_per_minute=1000, decisions_per_minute=2)
    async with serving(database, few, gateway=await Gateway.open(NOWHERE, lazy=True)) as away:
        programme = await acting_for(away, PROGRAMME)
        for _ in range(2):
            told = await programme.decide("gold", "pause")
            problem(told, 503)
            assert int(told.headers["retry-after"]) > 0
        problem(await programme.decide("gold", "pause"), 429)
        # Each person has their own.
        problem(await (await acting_for(away, ON_CALL)).decide("gold", "pause"), 503)
