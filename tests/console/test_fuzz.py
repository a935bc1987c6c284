"""The service under what its own description allows, and under what it does not: real HTTP, real PostgreSQL.

No answer is ever a 500, every answer is one that the description names, what the description does not allow is refused,
and a refused batch leaves no row behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from temporalio.testing import WorkflowEnvironment

from console.app import create_app, open_pool
from console.devissuer import PROGRAMME
from console.gateway import Gateway
from console.server import serve
from console.settings import ConsoleSettings, listen, place_of
from store.events.keys import add_key
from tests.console.conftest import CHECKED, SMALL
from tests.console.visitors import Browser, serving

T = TypeVar("T")

EXAMPLES = 25
RUN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Service:
    """A running service and its database, for whoever works in another thread."""

    address: str
    key: str
    pool: asyncpg.Pool[asyncpg.Record]
    loop: asyncio.AbstractEventLoop
    schema: Any

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def rows(self) -> dict[str, int]:
        return self.wait(self._rows())

    async def _rows(self) -> dict[str, int]:
        found = await self.pool.fetchrow(
            "select (select count(*) from fact_event) as events, (select count(*) from fact_subject) as subjects,"
            " (select count(*) from lead) as leads, (select count(*) from opportunity) as deals,"
            " (select count(*) from mdf_request) as requests, (select count(*) from mdf_claim) as claims,"
            " (select count(*) from partner_transaction) as sales, (select count(*) from partner_cost) as costs"
        )
        assert found is not None
        return dict(found)

    def send(self, case: Case[Any]) -> schemathesis.Response:
        """Send it with our key, and hold the answer against the description."""
        headers = {"authorization": f"Bearer {self.key}"}
        response = case.call(base_url=self.address, headers=headers, timeout=30)
        # What PostgreSQL knows of partners stands in no schema: a right body may name a wrong one.
        case.validate_response(response, excluded_checks=[positive_data_acceptance], headers=headers)
        return response


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with await open_pool(database, SMALL) as pool:
        await pool.execute(CHECKED)
        async with pool.acquire() as conn:
            key = await add_key(conn, "crm-live", "crm")
        stop, started = asyncio.Event(), asyncio.Event()
        with listen("127.0.0.1:0") as listening:
            serving = asyncio.create_task(serve(database, SMALL, listening, started.set, stop))
            await asyncio.wait_for(started.wait(), 30)
            schema = schemathesis.openapi.from_dict(create_app(pool, SMALL).openapi())
            yield Service(f"http://{place_of(listening)}", key, pool, asyncio.get_running_loop(), schema)
            stop.set()
            await serving


def _ours(body: Any, partner: str) -> Any:
    """The same body of our own source and of a partner that may be known, so that more than its envelope is read."""
    for one in body if isinstance(body, list) else [body]:
        if isinstance(one, dict) and isinstance(one.get("source"), str):
            one["source"] = "crm"
            data = one.get("data")
            if isinstance(data, dict) and isinstance(data.get("partner_id"), str):
                data["partner_id"] = partner
    return body


def _mapped(operation: Any, mode: GenerationMode, media: str) -> st.SearchStrategy[Case[Any]]:
    def fit(drawn: tuple[Case[Any], str]) -> Case[Any]:
        case, partner = drawn
        case.body = _ours(case.body, partner)
        return case

    cases = operation.as_strategy(generation_mode=mode, media_type=media)
    return st.tuples(cases, st.sampled_from(["P1", "P2", "P9"])).map(fit)


@pytest.mark.parametrize("media", ["application/cloudevents+json", "application/cloudevents-batch+json"])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
async def test_events_of_every_kind_are_taken_whole_or_refused_without_a_trace(
    service: Service, media: str, mode: GenerationMode
) -> None:
    operation = service.schema["/v1/events"]["POST"]
    codes: set[int] = set()

    @RUN
    @given(case=_mapped(operation, mode, media))
    def check(case: Case[Any]) -> None:
        before = service.rows()
        response = service.send(case)
        after = service.rows()
        codes.add(response.status_code)
        if response.status_code == 200:
            assert after["events"] == before["events"] + response.json()["taken"]
        else:
            assert after == before
            problem = response.json()
            assert problem["detail"]
            # What is wrong with events is told by event, field, finding and what would do.
            assert problem.get("errors") or response.status_code != 422
            for error in problem.get("errors", ()):
                assert all(error[name] for name in ("field", "found", "allowed")), error

    await asyncio.to_thread(check)
    # Otherwise it has been looking at the door only.
    assert codes & ({200} if mode is GenerationMode.POSITIVE else {400, 422}), codes


async def test_asking_for_events_of_any_name_is_answered_as_described(service: Service) -> None:
    codes: set[int] = set()
    operation = service.schema["/v1/events/{source}/{event_id}"]["GET"]

    def fit(drawn: tuple[Case[Any], bool]) -> Case[Any]:
        case, ours = drawn
        if ours:
            case.path_parameters = {**(case.path_parameters or {}), "source": "crm"}
        return case

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @RUN
        @given(case=st.tuples(operation.as_strategy(generation_mode=mode), st.booleans()).map(fit))
        def check(case: Case[Any]) -> None:
            codes.add(service.send(case).status_code)

        await asyncio.to_thread(check)
    assert codes >= {403, 404, 422}, codes


async def test_any_bytes_at_all_are_answered(service: Service) -> None:
    headers = {"authorization": f"Bearer {service.key}", "content-type": "application/cloudevents-batch+json"}
    before = await service._rows()

    @settings(RUN, max_examples=100)
    @given(
        body=st.one_of(
            st.binary(max_size=200), st.text(alphabet='[]{}",:\\u0d8e1+-.nulNaI ', max_size=60).map(str.encode)
        )
    )
    def check(body: bytes) -> None:
        told = httpx.post(f"{service.address}/v1/events", content=body, headers=headers, timeout=30)
        assert told.status_code in (200, 400, 413, 422), told.text
        assert told.status_code != 200 or told.json() == {"taken": 0, "events": []}

    await asyncio.to_thread(check)
    assert await service._rows() == before


@dataclass(frozen=True)
class People:
    """A service that people sign in to, with a Temporal that has no rollouts, and a token of somebody."""

    address: str
    token: str
    schema: Any


@pytest.fixture
async def people(database: str, dev_server: WorkflowEnvironment) -> AsyncIterator[People]:
    often = ConsoleSettings(sign_ins_per_minute=10_000, decisions_per_minute=10_000)
    gateway = Gateway(dev_server.client)
    async with serving(database, often, gateway) as site, await open_pool(database, often) as pool:
        browser = Browser(site.url)
        async with browser.client:
            await browser.sign_in(PROGRAMME)
            schema = schemathesis.openapi.from_dict(create_app(pool, often, site).openapi())
            yield People(site.url, browser.session or "", schema)


OPERATIONS = [
    ("/v1/rollouts", "GET"),
    ("/v1/rollouts", "POST"),
    ("/v1/rollouts/{name}", "GET"),
    ("/v1/rollouts/{name}/role", "GET"),
    ("/v1/rollouts/{name}/decisions", "GET"),
    ("/v1/rollouts/{name}/decisions", "POST"),
    ("/v1/inbox", "GET"),
    ("/v1/me", "GET"),
]


MODES = [
    (path, method, mode)
    for path, method in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    # What takes nothing can be asked in no wrong way.
    if mode is GenerationMode.POSITIVE or "{" in path or method == "POST"
]


@pytest.mark.parametrize(("path", "method", "mode"), MODES)
async def test_what_people_may_ask_is_answered_as_described(
    people: People, path: str, method: str, mode: GenerationMode
) -> None:
    operation = people.schema[path][method]
    headers = {"authorization": f"Bearer {people.token}"}
    codes: set[int] = set()

    @RUN
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Case[Any]) -> None:
        response = case.call(base_url=people.address, headers=headers, timeout=60)
        case.validate_response(response, excluded_checks=[positive_data_acceptance], headers=headers)
        codes.add(response.status_code)
        assert response.status_code not in (401, 403)

    await asyncio.to_thread(check)
    expected = {200, 404} if mode is GenerationMode.POSITIVE else {400, 404, 422}
    if (path, method, mode) != ("/v1/rollouts", "POST", GenerationMode.POSITIVE):
        assert codes & expected, codes


async def test_nobody_is_answered_without_a_token(people: People) -> None:
    async with httpx.AsyncClient(base_url=people.address) as client:
        for path, method in OPERATIONS:
            asked = path.replace("{name}", "gold-tier-rebate")
            told = await client.request(method, asked, headers={"origin": people.address}, json={})
            assert told.status_code == 401, (path, method)
