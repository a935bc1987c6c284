"""The log is one JSON object a line whatever happens, says each thing once, and keeps secrets to itself."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import warnings
from typing import Any
from uuid import uuid4

import pytest
import structlog
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.worker import Worker

from tests.worker.others import STEPS, Chatty, Unlucky, fail_with_a_name, fail_without_one
from worker.settings import WorkerSettings
from worker.telemetry import configure_logging

pytestmark = pytest.mark.usefixtures("own_logging")

PASSWORD = "s3cret/ pass"
DSN = "postgresql://rollouts:s3cret%2F%20pass@db.example.com:5432/rollouts"


class Unspeakable:
    def __str__(self) -> str:
        raise ValueError(f"no words for {DSN}")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was said, each line an object with the same first keys."""
    found = [json.loads(line) for line in capsys.readouterr().err.split("\n")[:-1]]
    assert [list(one)[:4] for one in found] == [["timestamp", "level", "logger", "event"]] * len(found)
    return found


def test_a_line_has_when_how_serious_who_and_what_first(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")
    structlog.get_logger("worker.main").info("worker started", task_queue="q")
    logging.getLogger("asyncpg.pool").warning("%d connections", 3, extra={"host": "db", "color_message": "\x1b[36m3"})
    logging.getLogger("asyncpg.pool").debug("not at this level")
    ours, theirs = lines(capsys)
    assert {key: ours[key] for key in ours if key != "timestamp"} == {
        "level": "info",
        "logger": "worker.main",
        "event": "worker started",
        "task_queue": "q",
    }
    assert ours["timestamp"].endswith("Z")
    assert (theirs["level"], theirs["event"], theirs["host"]) == ("warning", "3 connections", "db")
    assert "color_message" not in theirs


def test_whatever_is_logged_or_printed_by_python_itself_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    def in_a_thread() -> None:
        raise KeyError("nobody catches this")

    configure_logging("INFO", "json")
    log = structlog.get_logger("test")
    log.info("numbers", nan=float("nan"), endless=float("-inf"), nested={1: (2, {"three"})}, one=1.5, none=None)
    log.info("two\nlines\u2028and \udcff")
    log.info("broken", what=Unspeakable())
    logging.getLogger("test").info("%d of these", "none")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("this is deprecated", stacklevel=1)
    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    try:
        raise ZeroDivisionError("caught")
    except ZeroDivisionError:
        log.exception("a traceback")

    numbers, two_lines, broken, bad_arguments, warning, uncaught, traceback = lines(capsys)
    assert numbers["nan"] == "nan"
    assert numbers["endless"] == "-inf"
    assert numbers["nested"] == {"1": [2, ["three"]]}
    assert (numbers["one"], numbers["none"]) == (1.5, None)
    assert two_lines["event"] == "two\nlines\u2028and \udcff"
    for one in (broken, bad_arguments):
        assert one["event"] == "a log line could not be written"
    assert "no words" in broken["problem"]
    assert "%d of these" in bad_arguments["line"]
    assert "this is deprecated" in warning["event"]
    assert "KeyError: 'nobody catches this'" in uncaught["exception"]
    assert traceback["exception"].startswith("Traceback")
    assert traceback["exception"].endswith("ZeroDivisionError: caught")


def test_no_secret_is_in_a_line_however_it_got_there(capsys: pytest.CaptureFixture[str]) -> None:
    settings = WorkerSettings(database_dsn=SecretStr(DSN))
    configure_logging("INFO", "json", settings.secrets)
    log = structlog.get_logger("test")
    log.info(f"connecting to {DSN}", dsn=DSN, nested={"deep": [{"dsn": DSN, PASSWORD: 1}]}, settings=settings)
    log.info(f"unwritable {DSN}", what=Unspeakable(), dsn=DSN)
    log.info("as it is meant", text=f"password {PASSWORD!r}")
    logging.getLogger("asyncpg").error("cannot reach %s", DSN)
    logging.getLogger("asyncpg").error("of another", extra={"url": "amqp://user:an0ther@host/"})
    logging.getLogger("asyncpg").error("%d", DSN)
    try:
        raise OSError(f"cannot reach {DSN}")
    except OSError:
        log.exception("failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(DSN, stacklevel=1)

    said = capsys.readouterr().err
    assert len(said.splitlines()) == 8
    for secret in ("s3cret", "an0ther", json.dumps(PASSWORD)[1:-1]):
        assert secret not in said
    assert said.count("postgresql://rollouts:***@db.example.com:5432/rollouts") >= 5


def test_a_password_in_the_parameters_of_the_dsn_is_a_secret_too() -> None:
    settings = WorkerSettings(database_dsn=SecretStr("postgresql:///x?host=/run/postgresql&user=x&password=s3cret%21"))
    assert "s3cret!" in settings.secrets
    assert WorkerSettings(database_dsn=SecretStr("postgresql:///rollouts")).secrets == ()


def test_lines_for_people_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "console", ("s3cret",))
    log = structlog.get_logger("test")
    try:
        raise OSError("it is s3cret")
    except OSError:
        log.exception("failed", word="s3cret")
    said = capsys.readouterr().err
    assert "failed" in said
    assert "Traceback" in said
    assert "\x1b" not in said
    assert "s3cret" not in said
    with pytest.raises(json.JSONDecodeError):
        json.loads(said.splitlines()[0])


async def test_with_the_cache_off_each_line_of_a_workflow_is_there_once_and_names_its_workflow(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("INFO", "json")
    queue = f"queue-{uuid4().hex[:8]}"
    async with Worker(client, task_queue=queue, workflows=[Chatty], max_cached_workflows=0):
        handle = await client.start_workflow(Chatty.run, id=f"chatty-{uuid4().hex[:8]}", task_queue=queue)
        await handle.result()
    said = [one for one in lines(capsys) if one["event"].startswith("step")]
    assert [one["event"] for one in said] == [f"step {number}" for number in range(STEPS)]
    assert [one["step"] for one in said] == list(range(STEPS))
    for one in said:
        assert (one["workflow_id"], one["workflow"]) == (handle.id, "Chatty")
        assert one["run_id"] == handle.first_execution_run_id


async def test_a_failing_activity_is_one_line_with_a_traceback_only_where_nobody_expected_it(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("INFO", "json")
    queue = f"queue-{uuid4().hex[:8]}"
    activities = [fail_with_a_name, fail_without_one]
    async with Worker(client, task_queue=queue, workflows=[Unlucky], activities=activities):
        handle = await client.start_workflow(Unlucky.run, id=f"unlucky-{uuid4().hex[:8]}", task_queue=queue)
        await handle.result()
    said = lines(capsys)
    assert [one["activity"] for one in said if one["event"] == "about to fail"] == ["fail_with_a_name"]
    expected, unexpected = (one for one in said if one["event"] == "activity failed")
    for one in (expected, unexpected):
        assert (one["workflow_id"], one["attempt"]) == (handle.id, 1)
    assert expected["activity"] == "fail_with_a_name"
    assert expected["problem"] == "StoreUnavailable: the database did not answer"
    assert "exception" not in expected
    assert "ZeroDivisionError: nobody thought of this" in unexpected["exception"]


async def test_an_exception_that_a_task_died_of_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    async def dies() -> None:
        raise ZeroDivisionError("in a task")

    configure_logging("INFO", "json")
    task = asyncio.ensure_future(dies())
    await asyncio.wait((task,))
    del task
    (line,) = lines(capsys)
    assert line["logger"] == "asyncio"
    assert "ZeroDivisionError: in a task" in line["exception"]
