"""The embedded PostgreSQL: its data survives stops and crashes, and it refuses what would end badly."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.embedded.account import reachable_copy, server_account, temporary_directory
from deploy.embedded.binaries import postgres_home
from deploy.embedded.errors import AlreadyRunningError, DirectoryError, PortTakenError, StartFailedError
from deploy.embedded.postgres import EmbeddedPostgres
from tests.deploy.conftest import Place

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL over to another account")


@pytest.fixture
def directory() -> Iterator[Path]:
    path = temporary_directory("partner-rollouts-tests-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def used(directory: Path, made_before: Place) -> Path:
    """A directory in which PostgreSQL was started before."""
    made_before(directory / "postgres")
    return directory


def link_or_copy(source: str, target: str) -> None:
    """The same file at another place, without copying it where the file system can do that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


async def write(server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(server.dsn)
    await connection.execute("CREATE TABLE partner (name text); INSERT INTO partner VALUES ('アオイ商事')")
    await connection.close()


async def read(server: EmbeddedPostgres) -> str:
    connection = await asyncpg.connect(server.dsn)
    try:
        return str(await connection.fetchval("SELECT name FROM partner"))
    finally:
        await connection.close()


async def test_data_survives_a_stop_and_a_start_by_another_process(directory: Path) -> None:
    async with EmbeddedPostgres(directory / "postgres") as first:
        await write(first)
        assert first.process is not None
        pid = first.process.pid
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    async with EmbeddedPostgres(directory / "postgres") as second:
        assert await read(second) == "アオイ商事"


async def test_committed_data_survives_a_crash_and_the_port_stays(used: Path) -> None:
    async with EmbeddedPostgres(used / "postgres") as server:
        await write(server)
        before, port = server.process, server.port
        await server.crash()
        with pytest.raises(OSError, match=str(port)):
            await asyncpg.connect(server.dsn)
        await server.start()
        assert server.port == port
        assert server.process != before
        assert await read(server) == "アオイ商事"


async def test_a_crash_takes_open_connections_with_it(used: Path) -> None:
    async with EmbeddedPostgres(used / "postgres", fast=True) as server:
        connection = await asyncpg.connect(server.dsn)
        asleep = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.1)
        await server.crash()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await asyncio.wait_for(asleep, 60)
        connection.terminate()


async def test_a_second_server_on_the_same_data_is_refused_and_the_first_lives_on(used: Path) -> None:
    async with EmbeddedPostgres(used / "postgres", fast=True) as first:
        await write(first)
        second = EmbeddedPostgres(used / "postgres")
        with pytest.raises(AlreadyRunningError, match=str(used)):
            await second.start()
        await second.stop()
        assert second.running() == first.process
        assert await read(first) == "アオイ商事"


async def test_a_lock_file_with_the_pid_of_somebody_else_is_no_obstacle(used: Path) -> None:
    async with EmbeddedPostgres(used / "postgres", fast=True) as server:
        await write(server)
        lock = used / "postgres" / "cluster" / "postmaster.pid"
        left_behind = lock.read_text().splitlines()
        await server.crash()
        stranger = await asyncio.create_subprocess_exec("sleep", "60")
        lock.write_text("\n".join([str(stranger.pid), *left_behind[1:]]) + "\n")
        server_account().own(lock)
        assert server.running() is None
        await server.start()
        assert stranger.returncode is None
        stranger.kill()
        await stranger.wait()
        assert await read(server) == "アオイ商事"


async def test_it_listens_on_loopback_only_and_wants_its_password(used: Path) -> None:
    async with EmbeddedPostgres(used / "postgres", fast=True) as server:
        assert server.process is not None
        listening = psutil.Process(server.process.pid).net_connections()
        assert {each.laddr for each in listening if each.status == psutil.CONN_LISTEN} == {("127.0.0.1", server.port)}
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.dsn, password="guessed")
        password = used / "postgres" / "password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        assert password.read_text() in server.dsn


async def test_durable_unless_asked_to_be_fast(used: Path) -> None:
    async def fsync(server: EmbeddedPostgres) -> str:
        async with server:
            connection = await asyncpg.connect(server.dsn)
            try:
                return str(await connection.fetchval("SHOW fsync"))
            finally:
                await connection.close()

    assert await fsync(EmbeddedPostgres(used / "postgres")) == "on"
    assert await fsync(EmbeddedPostgres(used / "postgres", fast=True)) == "off"


async def test_a_taken_port_is_named(used: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"Port {port} .* PostgreSQL"):
            await EmbeddedPostgres(used / "postgres", port=port, fast=True).start()


async def test_a_start_that_fails_shows_what_the_server_said(used: Path) -> None:
    server = EmbeddedPostgres(used / "postgres", fast=True, settings={"shared_buffers": "plenty"})
    with pytest.raises(StartFailedError, match='invalid value for parameter "shared_buffers": "plenty"'):
        await server.start()
    assert server.running() is None


async def test_data_of_another_release_is_refused(used: Path) -> None:
    (used / "postgres" / "cluster" / "PG_VERSION").write_text("12\n")
    with pytest.raises(DirectoryError, match=r"PostgreSQL 12, this is 18.*pg_dump"):
        await EmbeddedPostgres(used / "postgres", fast=True).start()


async def test_an_interrupted_first_start_is_made_good_by_the_next(directory: Path) -> None:
    server = EmbeddedPostgres(directory / "postgres", fast=True)
    starting = asyncio.create_task(server.start())
    await asyncio.sleep(0.1)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert server.running() is None
    async with server:
        await write(server)


@only_root
async def test_a_directory_out_of_its_accounts_reach_is_refused_before_anything_is_made(
    directory: Path,
) -> None:
    closed = directory / "closed"
    closed.mkdir(0o700)
    with pytest.raises(DirectoryError, match=f"nobody.* cannot pass through {closed}.*chmod o\\+x {closed}"):
        await EmbeddedPostgres(closed / "inner" / "postgres").start()
    assert list(closed.iterdir()) == []


@only_root
def test_programs_out_of_its_accounts_reach_are_copied_to_where_they_run(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = server_account()
    original = postgres_home()
    closed = directory / "closed"
    closed.mkdir(0o700)
    package = closed / original.parent.name
    home = package / original.name
    shutil.copytree(original, home, copy_function=link_or_copy)
    libraries = original.parent.with_name(f"{original.parent.name}.libs")
    shutil.copytree(libraries, closed / libraries.name, copy_function=link_or_copy)
    monkeypatch.setattr("tempfile.tempdir", str(directory))

    copy = reachable_copy(home, account)

    assert copy != home
    assert reachable_copy(home, account) == copy
    said = subprocess.check_output([str(copy / "bin" / "initdb"), "--version"], text=True, user=account.uid)
    assert said.startswith("initdb (PostgreSQL) 18")


@only_root
def test_a_copy_that_others_could_have_changed_is_not_run(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = server_account()
    original = postgres_home()
    closed = directory / "closed"
    home = closed / original.parent.name / original.name
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "postgres").touch()
    closed.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    copy = reachable_copy(home, account)
    copy.parents[1].chmod(0o777)

    with pytest.raises(DirectoryError, match="is not ours"):
        reachable_copy(home, account)


@only_root
def test_programs_within_reach_are_used_where_they_are(directory: Path) -> None:
    account = server_account()
    home = directory / "package" / "pginstall"
    (home / "bin").mkdir(parents=True)
    assert reachable_copy(home, account) == home
