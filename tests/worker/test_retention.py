"""No rollout is started where its history would be deleted too soon, unless whoever starts it says so."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client
from temporalio.service import RPCError

from console.errors import GatewayError, Kind
from console.gateway import Gateway
from models.clock import clock_at
from models.names import rollout_workflow_id
from models.plan import RolloutPlan
from tests.plans import make_plan
from tests.workflows.simulator import START
from worker.namespace import warn_of_retention
from worker.settings import SettingsError, least_retention
from workflows.journal import Now
from workflows.phases import initial_state

DAY = timedelta(days=1)


@pytest.fixture
def plan() -> RolloutPlan:
    return make_plan(id=f"kept-{uuid4().hex[:8]}")


async def test_nothing_is_started_where_closed_histories_are_kept_for_a_day(client: Client, plan: RolloutPlan) -> None:
    with pytest.raises(GatewayError) as refused:
        await Gateway(client).start(plan, None, 1.0)
    assert refused.value.kind is Kind.REFUSED
    told = str(refused.value)
    assert f"{client.namespace} keeps closed histories for 1 days, and at least 90 are allowed" in told
    assert "ROLLOUTS_RETENTION_DAYS" in told
    with pytest.raises(RPCError):
        await client.get_workflow_handle(rollout_workflow_id(plan.id)).describe()


@pytest.mark.parametrize("least", [timedelta(0), DAY])
async def test_what_is_kept_as_long_as_an_installation_allows_is_started(
    client: Client, plan: RolloutPlan, least: timedelta
) -> None:
    gateway = Gateway(client, least_retention=least)
    assert await gateway.start(plan, None, 1.0)
    assert (await gateway.started_with(plan.id)).short_retention is None


async def test_who_accepts_it_starts_it_and_the_log_begins_with_that(client: Client, plan: RolloutPlan) -> None:
    gateway = Gateway(client)
    assert await gateway.start(plan, None, 1.0, short_retention=True)
    given = await gateway.started_with(plan.id)
    assert given.short_retention == DAY
    now = Now(real=START, programme=START)
    state = initial_state(plan, "chain", clock_at(START), now, short_retention=given.short_retention)
    assert state.recent[0].message.endswith("Temporal keeps closed histories for 1d only, which its starter accepts")


async def test_a_worker_warns_of_a_namespace_that_keeps_histories_too_shortly(client: Client) -> None:
    with capture_logs() as said:
        await warn_of_retention(client, 2 * DAY)
    [warning] = said
    assert (warning["log_level"], warning["found_days"], warning["allowed_days"]) == ("warning", 1.0, 2)
    with capture_logs() as said:
        await warn_of_retention(client, DAY)
    assert said == []


def test_the_days_are_read_from_the_environment(own_environment: pytest.MonkeyPatch) -> None:
    assert least_retention() == 90 * DAY
    own_environment.setenv("ROLLOUTS_RETENTION_DAYS", "30")
    assert least_retention() == 30 * DAY
    own_environment.setenv("ROLLOUTS_RETENTION_DAYS", "soon")
    with pytest.raises(SettingsError, match=r"ROLLOUTS_RETENTION_DAYS is 'soon'"):
        least_retention()
