"""A worker that cannot start says why in one sentence and ends with the code for it, whichever way it is started."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.postgres import EmbeddedPostgres
from tests.worker.process import PATIENCE, PROGRAMS, gate, started
from worker.main import run_from_environment

BOTH = pytest.mark.parametrize("program", PROGRAMS)


@pytest.fixture
def taken() -> Iterator[str]:
    """An address at which somebody else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield f"127.0.0.1:{other.getsockname()[1]}"


async def ends(folder: Path, settings: dict[str, str], program: str = "python -m worker") -> tuple[int, list[str]]:
    """Exit code and lines of a worker that ends by itself."""
    async with started(folder, settings, program) as worker:
        return await worker.end(), worker.text.splitlines()


async def gives_up(folder: Path, settings: dict[str, str], program: str = "python -m worker") -> tuple[int, list[str]]:
    """The same of one that got so far as to log: exit code and what it said."""
    async with started(folder, settings, program) as worker:
        code = await worker.end()
        return code, [one["event"] for one in worker.lines()]


@BOTH
async def test_every_setting_that_is_missing_wrong_or_misspelt_is_named(folder: Path, program: str) -> None:
    wrong = {
        "ROLLOUTS_HEALTH_BIND": "9465",
        "ROLLOUTS_GRACEFUL_SHUTDOWN": "soon",
        "ROLLOUTS_LOG_LEVEL": "loud",
        "ROLLOUTS_SMTP_HSOT": "mail.example.com",
    }
    code, said = await ends(folder, wrong, program)
    assert code == 2
    assert said == [
        "ROLLOUTS_DATABASE_DSN is not set: PostgreSQL, as postgresql://user:password@host:port/name",
        "ROLLOUTS_GRACEFUL_SHUTDOWN is 'soon': write for example 30s, 5m or 1h30m",
        "ROLLOUTS_HEALTH_BIND is '9465': write an IP address and a port, for example 127.0.0.1:9464, 0.0.0.0:9464 or "
        "[::]:9464",
        "ROLLOUTS_LOG_LEVEL is 'loud': input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
        "ROLLOUTS_SMTP_HSOT is not a setting; ROLLOUTS_SMTP_HOST is",
    ]


@BOTH
async def test_an_address_where_somebody_else_listens_is_named(
    folder: Path, settings: dict[str, str], taken: str, program: str
) -> None:
    names = ("ROLLOUTS_HEALTH_BIND", "ROLLOUTS_METRICS_BIND")
    plain = {key: value for key, value in settings.items() if key not in names}
    ended = await asyncio.gather(*(gives_up(folder, plain | {name: taken}, program) for name in names))
    for setting, (code, said) in zip(names, ended, strict=True):
        assert code == 2
        assert len(said) == 1
        assert said[0].startswith(f"{setting} is '{taken}': ")
        assert "ddress already in use" in said[0]


@BOTH
async def test_servers_that_never_answer_are_waited_for_and_then_given_up(
    folder: Path, settings: dict[str, str], program: str
) -> None:
    async with gate(1, shut=True) as nowhere:
        changed = settings | {"ROLLOUTS_WAIT_FOR_SERVERS": "3s", "TEMPORAL_ADDRESS": nowhere.address}
        code, said = await gives_up(folder, changed, program)
    assert code == 69
    *waited, last = said
    assert last == f"Temporal at {nowhere.address} cannot be used: Connection refused"
    assert set(waited) == {f"Temporal at {nowhere.address} cannot be used yet"}


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"ROLLOUTS_DATABASE_DSN": "{wrong password}"}, 69, "password authentication failed"),
        ({"ROLLOUTS_DATABASE_DSN": "{other database}"}, 69, "run: rollouts db migrate"),
        ({"ROLLOUTS_DATABASE_DSN": "{bad parameter}"}, 2, "`sslmode` parameter must be one of"),
        ({"ROLLOUTS_DATABASE_DSN": "{bad port}"}, 2, "the port is no number"),
        ({"ROLLOUTS_NOTICE_MAILDIR": "/dev/null"}, 2, "ROLLOUTS_NOTICE_MAILDIR is '/dev/null': it is no directory"),
        ({"ROLLOUTS_WEBHOOKS": "/dev/null"}, 2, "ROLLOUTS_WEBHOOKS cannot be used: /dev/null: it is no plain file"),
        ({"TEMPORAL_NAMESPACE": "nowhere"}, 2, "TEMPORAL_NAMESPACE is 'nowhere'"),
        ({"TEMPORAL_ADDRESS": "not an address"}, 2, "TEMPORAL_ADDRESS is 'not an address'"),
        ({"TEMPORAL_ADDRESS": "http://127.0.0.1:7233"}, 2, "write host:port, without a scheme"),
        ({"TEMPORAL_PROFILE": "nobody"}, 2, "TEMPORAL_PROFILE is 'nobody'"),
        ({"TEMPORAL_CONFIG_FILE": "/none.toml"}, 2, "TEMPORAL_CONFIG_FILE is '/none.toml': there is no such file"),
        ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/none.pem"}, 2, "TEMPORAL_TLS_CLIENT_CERT_PATH is '/none.pem'"),
        ({"TEMPORAL_API_KEY": "a-secret-key"}, 69, "it does not speak TLS"),
    ],
)
async def test_what_is_wrong_is_the_last_thing_said_and_no_secret_is(
    change: dict[str, str],
    code: int,
    told: str,
    settings: dict[str, str],
    postgres: EmbeddedPostgres,
    own_environment: pytest.MonkeyPatch,
    own_logging: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dsn = settings["ROLLOUTS_DATABASE_DSN"]
    password = dsn.split(":")[2].partition("@")[0]
    dsns = {
        "{wrong password}": dsn.replace(password, "a-secret-key"),
        "{other database}": postgres.dsn_for("postgres"),
        "{bad parameter}": f"{dsn}?sslmode=always",
        "{bad port}": f"postgresql://rollouts:{password}@127.0.0.1:{password}/x",
    }
    for name, value in ({"ROLLOUTS_WAIT_FOR_SERVERS": "0s"} | settings | change).items():
        own_environment.setenv(name, dsns.get(value, value))

    # It ends by itself; a worker that started all the same would go on for ever.
    assert await asyncio.wait_for(run_from_environment(), PATIENCE) == code

    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert told in said[-1]["event"]
    assert said[-1]["level"] == "error"
    assert password not in str(said)
    assert "a-secret-key" not in str(said)


async def test_an_argument_is_refused_and_help_says_where_the_settings_are(folder: Path) -> None:
    async def run(*arguments: str) -> tuple[int | None, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        return process.returncode, out, err

    (code, out, _), (refused, _, err) = await asyncio.gather(run("--help"), run("--queue", "mine"))
    assert (code, refused) == (0, 2)
    assert b"docs/operations.md" in out
    assert b"docs/operations.md" in err
