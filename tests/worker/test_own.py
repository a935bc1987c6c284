"""A request that does not say of which rollout it is, is of the one that asks: by Temporal's word, in this very run."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from models.work import ITS_OWN, KeysRequest, RolloutKey
from tests.plans import make_plan
from worker.interceptors import OwnInterceptor

OTHER = RolloutKey(rollout_id="another", chain_id="chain")


class _Last(ActivityInboundInterceptor):
    def __init__(self) -> None:
        pass

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return input.args[0]


async def carried_out(request: Any, **info: Any) -> Any:
    """What an activity is given of a request."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, **info)
    asked = ExecuteActivityInput(fn=_none, args=[request], executor=None, headers={})
    return await environment.run(OwnInterceptor().intercept_activity(_Last()).execute_activity, asked)


@activity.defn
async def _none() -> None: ...


async def test_it_is_of_the_rollout_that_asks() -> None:
    found = await carried_out(KeysRequest(), workflow_id="rollout/rebate", workflow_run_id="run-1")
    assert found == KeysRequest(key=RolloutKey(rollout_id="rebate", chain_id="run-1"))


async def test_one_that_says_it_is_of_the_rollout_it_says() -> None:
    """A later run of a chain is another one to Temporal: it says itself of which chain it is."""
    found = await carried_out(KeysRequest(key=OTHER), workflow_id="rollout/rebate", workflow_run_id="run-2")
    assert found.key == OTHER


@pytest.mark.parametrize("info", [{"workflow_id": "partner-watch"}, {"workflow_id": None}, {"workflow_run_id": None}])
async def test_what_no_rollout_asks_is_of_none(info: dict[str, Any]) -> None:
    """No store knows it, so that nothing comes of it."""
    found = await carried_out(KeysRequest(), **{"workflow_id": "rollout/rebate", "workflow_run_id": "run-1", **info})
    assert found.key == ITS_OWN


async def test_what_is_no_request_of_a_rollout_is_left_alone() -> None:
    plan = make_plan()
    assert await carried_out(plan, workflow_id="rollout/rebate", workflow_run_id="run-1") is plan


def test_a_key_that_was_left_out_is_not_written() -> None:
    assert KeysRequest().model_dump_json() == "{}"
