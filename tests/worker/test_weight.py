"""What a workflow holds in a worker's memory: not the message that began it, and no readers of its own."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import InitializeWorkflow
from temporalio.common import RawValue
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.worker import ExecuteWorkflowInput, WorkflowInboundInterceptor, WorkflowInterceptorClassInput

from cli.main import run
from models.brief import SnapshotBrief
from models.evidence import Snapshot
from tests.plans import make_plan
from worker.__main__ import main
from worker.converter import SHARED_CONVERTER
from worker.interceptors import RefusalInterceptor
from worker.lookahead import by_itself

EITHER: Any = Snapshot | SnapshotBrief


class _Last(WorkflowInboundInterceptor):
    """Where the chain of interceptors ends: keeps what it was called with."""

    def __init__(self) -> None:
        self.given: ExecuteWorkflowInput | None = None

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        self.given = input


def _compiled(converter: DataConverter) -> list[object]:
    """What two workflows compile to read the same type."""
    made: list[Any] = [converter.payload_converter_class() for _ in range(2)]
    return [one.converters[b"json/plain"]._type_adapter(EITHER) for one in made]


def test_workflows_share_what_is_compiled_to_read_a_type() -> None:
    first, second = _compiled(SHARED_CONVERTER)
    assert first is second
    alone, again = _compiled(pydantic_data_converter)
    assert alone is not again


def test_what_is_written_is_what_pydantic_s_own_converter_writes() -> None:
    brief = SnapshotBrief(digest="sha256:" + "0" * 64, as_of=datetime(2026, 1, 1, tzinfo=UTC))
    for value in (make_plan(), brief, None, b"raw", {"a": [1, 2.5, timedelta(days=1)]}):
        ours, theirs = (
            one.payload_converter.to_payloads([value]) for one in (SHARED_CONVERTER, pydantic_data_converter)
        )
        assert ours == theirs
    payload = SHARED_CONVERTER.payload_converter.to_payload(brief)
    assert SHARED_CONVERTER.payload_converter.from_payload(payload, EITHER) == brief


async def test_a_workflow_that_has_read_what_it_was_given_lets_go_of_it() -> None:
    """The SDK keeps the input; a header of it would keep the whole message as well."""
    begun = InitializeWorkflow(headers={"who": Payload(data=b"me")}, arguments=[Payload(data=b"a plan")])
    given = ExecuteWorkflowInput(
        type=object, run_fn=asyncio.sleep, args=[RawValue(begun.arguments[0]), 7], headers=begun.headers
    )
    inbound = RefusalInterceptor().workflow_interceptor_class(WorkflowInterceptorClassInput({}))
    await inbound(last := _Last()).execute_workflow(given)
    assert last.given is given
    assert given.args == [RawValue(Payload()), 7]
    assert given.headers == {"who": Payload(data=b"me")}
    assert type(given.headers) is dict
    begun.headers["who"].data = b"somebody else"
    assert given.headers["who"].data == b"me", "it is still a part of the message"


def test_the_results_before_a_run_are_kept_without_the_message_they_came_in() -> None:
    begun = InitializeWorkflow(
        last_completion_result=Payloads(payloads=[Payload(data=b"3")]), continued_failure=Failure(message="no")
    )

    @dataclasses.dataclass(frozen=True)
    class Details:
        last_completion_result: Payloads
        last_failure: Failure | None

    kept: Any = by_itself(Details(begun.last_completion_result, begun.continued_failure))  # type: ignore[arg-type]
    begun.last_completion_result.payloads[0].data = b"4"
    begun.continued_failure.message = "changed"
    assert kept.last_completion_result == Payloads(payloads=[Payload(data=b"3")])
    assert kept.last_failure == Failure(message="no")
    assert by_itself(Details(Payloads(), None)).last_failure is None  # type: ignore[arg-type]


@pytest.mark.parametrize("program", ["python -m worker", "rollouts worker run"])
def test_the_collector_is_spared_what_is_loaded_before_the_work_begins(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look through it again and again. What is loaded is nearly all that there is then."""
    found = list[tuple[int, int]]()

    async def work() -> int:
        found.append((gc.get_freeze_count(), len(gc.get_objects())))
        return 0

    monkeypatch.setenv("ROLLOUTS_HOME", str(tmp_path))
    for place in ("worker.__main__", "worker.main"):
        monkeypatch.setattr(f"{place}.run_from_environment", work)
    gc.unfreeze()
    try:
        code = main([]) if program == "python -m worker" else run(["worker", "run"])
    finally:
        gc.unfreeze()
    [(spared, looked_through)] = found
    assert code == 0
    assert spared > 10 * looked_through
