"""The embedded Temporal server: loopback only, its workflows survive, one server for one database."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from deploy.embedded.account import temporary_directory
from deploy.embedded.errors import AlreadyRunningError, PortTakenError, StartFailedError
from deploy.embedded.temporal import EmbeddedTemporal
from tests.deploy.conftest import passing


@pytest.fixture
def directory(settled: None) -> Iterator[Path]:
    path = temporary_directory("partner-rollouts-tests-")
    yield path
    shutil.rmtree(path)


async def start_a_workflow(server: EmbeddedTemporal) -> None:
    client = await Client.connect(server.address)
    await client.start_workflow("Waiting", id="waiting", task_queue="nobody")


async def its_status(server: EmbeddedTemporal) -> WorkflowExecutionStatus | None:
    client = await Client.connect(server.address)
    return (await client.get_workflow_handle("waiting").describe()).status


async def test_workflows_survive_a_restart_and_a_crash_on_the_same_port(directory: Path) -> None:
    async with EmbeddedTemporal(directory / "temporal") as server:
        await start_a_workflow(server)
        address, first = server.address, server.process
        await server.restart()
        assert await its_status(server) is WorkflowExecutionStatus.RUNNING
        await server.crash()
        assert server.running() is None
        await server.start()
        assert server.address == address
        assert server.process != first
        assert await its_status(server) is WorkflowExecutionStatus.RUNNING


async def test_a_second_server_on_the_same_data_is_refused_and_the_first_lives_on(directory: Path) -> None:
    async with passing(EmbeddedTemporal(directory / "temporal", ui=False)) as first:
        second = EmbeddedTemporal(directory / "temporal", ui=False)
        with pytest.raises(AlreadyRunningError, match=str(directory)):
            await second.start()
        await second.stop()
        assert second.running() == first.process
        await start_a_workflow(first)


async def test_every_socket_it_opens_is_on_loopback(directory: Path) -> None:
    async with passing(EmbeddedTemporal(directory / "temporal")) as server:
        assert server.process is not None
        sockets = psutil.Process(server.process.pid).net_connections()
        listening = {each.laddr for each in sockets if each.status == psutil.CONN_LISTEN}
        assert {server.port, server.ui_port} <= {address.port for address in listening}
        assert {address.ip for address in listening} == {"127.0.0.1"}


async def test_the_web_ui_answers_when_there_is_one_and_only_then() -> None:
    async with passing(EmbeddedTemporal()) as server:
        assert server.ui_url == f"http://127.0.0.1:{server.ui_port}"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.ui_port)
        writer.write(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"200 OK" in await reader.readline()
        writer.close()
        await writer.wait_closed()
    async with passing(EmbeddedTemporal(ui=False)) as server:
        assert server.ui_url is None


async def test_it_keeps_closed_rollouts_for_longer_than_a_day(directory: Path) -> None:
    async with passing(EmbeddedTemporal(directory / "temporal", ui=False, namespace="partners")) as server:
        client = await Client.connect(server.address, namespace="partners")
        request = DescribeNamespaceRequest(namespace="partners")
        described = await client.workflow_service.describe_namespace(request)
        assert described.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(days=90)


async def test_search_attributes_of_every_type_are_registered() -> None:
    keys = (
        SearchAttributeKey.for_text("T"),
        SearchAttributeKey.for_keyword("K"),
        SearchAttributeKey.for_int("I"),
        SearchAttributeKey.for_float("F"),
        SearchAttributeKey.for_bool("B"),
        SearchAttributeKey.for_datetime("D"),
        SearchAttributeKey.for_keyword_list("L"),
    )
    async with passing(EmbeddedTemporal(ui=False, search_attributes=keys)) as server:
        client = await Client.connect(server.address)
        listed = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
        found = {name: listed.custom_attributes[name] for name in ("T", "K", "I", "F", "B", "D", "L")}
        assert found == {
            "T": IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
            "K": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
            "I": IndexedValueType.INDEXED_VALUE_TYPE_INT,
            "F": IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
            "B": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
            "D": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
            "L": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
        }


async def test_a_start_that_fails_shows_what_the_server_said_this_time(directory: Path) -> None:
    log = directory / "temporal" / "temporal.log"
    log.parent.mkdir()
    log.write_text("something of last week\n")
    too_many = [SearchAttributeKey.for_bool(f"Flag{number}") for number in range(4)]
    server = EmbeddedTemporal(directory / "temporal", ui=False, search_attributes=too_many)
    with pytest.raises(StartFailedError, match="cannot have more than 3 search attributes of type Bool") as error:
        await server.start()
    assert "last week" not in str(error.value)
    assert server.running() is None


async def test_a_taken_port_is_named(directory: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"Port {port} .* Web UI"):
            await EmbeddedTemporal(directory / "temporal", ui_port=port).start()


async def test_a_server_in_memory_leaves_nothing_behind() -> None:
    server = EmbeddedTemporal(ui=False)
    await server.start()
    folder = server.log_file.parent
    assert folder.is_dir()
    await server.stop()
    assert not folder.exists()


async def test_the_fixtures_servers_answer(dev_server: WorkflowEnvironment, time_skipping: WorkflowEnvironment) -> None:
    assert await dev_server.client.service_client.check_health()
    before = await time_skipping.get_current_time()
    await time_skipping.sleep(timedelta(days=30))
    assert await time_skipping.get_current_time() - before >= timedelta(days=30)
