"""Requests of the API one after the other, each with what the one before has answered: real rollouts, a real worker.

No answer is a 500, every one is as the description says, and what a receipt says of a decision stands in the log.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from cli.home import Place
from console.app import create_app, open_pool
from console.devissuer import PROGRAMME
from console.gateway import Gateway
from console.settings import ConsoleSettings
from console.signing import load_signer
from console.site import Site
from tests.cli.conftest import Rollout, Terminal, gateway, rollout, stores, terminal  # noqa: F401
from tests.console.visitors import Browser, serving
from tests.plans import make_plan

SETTINGS = ConsoleSettings(sign_ins_per_minute=1000, decisions_per_minute=10_000)
RUN = settings(
    max_examples=8,
    stateful_step_count=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Desk:
    """A service, as whom it is asked, and the rollout that may be moved. `said` counts operations by status."""

    address: str
    token: str
    starter: str
    rollout: str
    schema: Any
    said: Counter[tuple[str, int]] = field(default_factory=Counter)

    def headers(self, case: Case[Any]) -> dict[str, str]:
        """Rollouts are started by whoever may, and everything else is an owner's."""
        start = (case.operation.method, case.operation.path) == ("post", "/v1/rollouts")
        return {"authorization": f"Bearer {self.starter if start else self.token}"}

    def log(self) -> list[dict[str, Any]]:
        told = httpx.get(
            f"{self.address}/v1/rollouts/{self.rollout}/decisions",
            headers={"authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        found: list[dict[str, Any]] = told.raise_for_status().json()
        return found


@pytest.fixture
async def desk(terminal: Terminal, gateway: Gateway, rollout: Rollout) -> AsyncIterator[Desk]:  # noqa: F811
    await rollout.to_gate()
    place = Place(terminal.home)
    signer = load_signer(place.signing_key, SETTINGS.deployment)
    async with serving(place.dsn, SETTINGS, gateway, signer) as site, await open_pool(place.dsn, SETTINGS) as pool:
        owner, starter = [await _token(site, who) for who in (rollout.who("sponsor"), PROGRAMME)]
        described = schemathesis.openapi.from_dict(create_app(pool, SETTINGS, site).openapi())
        schema: Any = described.include(path_regex="^/v1/(rollouts|inbox)")
        schema.config.update(base_url=site.url)
        schema.config.generation.update(modes=[GenerationMode.POSITIVE])
        yield Desk(site.url, owner, starter, rollout.name, schema)


async def _token(site: Site, persona: str) -> str:
    browser = Browser(site.url)
    async with browser.client:
        await browser.sign_in(persona)
    return browser.session or ""


def _to_what_is_ours(case: Case[Any], name: str) -> None:
    """Others have rollouts here too: decisions go to ours, and what is started is a plan that can be."""
    if case.operation.method != "post":
        return
    if case.operation.path == "/v1/rollouts":
        case.body = {"plan": make_plan(id=f"{name}-2").model_dump(mode="json", by_alias=True)}
        return
    case.path_parameters = {"name": name}
    body: Any = case.body
    if body["verb"] == "stop":
        # After it nothing could be said any more.
        case.body = {"verb": "pause", "reason": body["reason"]}


@pytest.mark.timeout(600)
async def test_a_conversation_is_answered_as_described_and_receipts_stand_in_the_log(desk: Desk) -> None:
    # The class is made of the description, which no checker can read.
    class Conversation(desk.schema.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: Case[Any]) -> None:
            _to_what_is_ours(case, desk.rollout)

        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            return {"headers": desk.headers(case), "timeout": 60}

        def validate_response(self, response: Any, case: Case[Any], **kwargs: Any) -> None:
            desk.said[(f"{case.operation.method} {case.operation.path}", response.status_code)] += 1
            # What rollouts there are stands in no schema, nor who may decide what; and we change what was made up.
            case.validate_response(
                response,
                excluded_checks=[positive_data_acceptance, negative_data_rejection],
                transport_kwargs=kwargs,
                recorder=self.recorder,
            )
            assert response.status_code != 401
            _check_receipt(desk, response.json())

    await asyncio.to_thread(Conversation.run, settings=RUN)
    # Otherwise it has been looking at the door only.
    assert desk.said["get /v1/rollouts/{name}", 200] > 0, desk.said
    decided = {status for (operation, status) in desk.said if operation == "post /v1/rollouts/{name}/decisions"}
    assert decided >= {200, 409}, desk.said


def _check_receipt(desk: Desk, body: Any) -> None:
    receipt = body.get("receipt", body) if isinstance(body, dict) else {}
    if receipt.get("outcome") not in ("applied", "refused"):
        return
    entries = {one["sequence"]: one for one in desk.log()}
    assert sorted(entries) == list(range(1, len(entries) + 1))
    entry = entries[receipt["sequence"]]
    assert (entry["request_id"], entry["outcome"]) == (receipt["request_id"], receipt["outcome"])
