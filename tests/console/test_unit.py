"""The unit for systemd: systemd understands all of it, it agrees with the service it runs, and keeps its key to itself.
And the documents' tables of settings say what the settings are."""

from __future__ import annotations

import configparser
import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from typer.testing import CliRunner

from cli.main import app
from cli.output import Exit
from console import LOOPBACK
from console.settings import ConsoleSettings, load_console_settings
from tests.deploy.units import FOLDER, complaints, service_of, settings_of, take_for_environment, with_systemd
from tests.docs.documents import ROOT
from worker.settings import Length, WorkerSettings

LENGTH: TypeAdapter[timedelta] = TypeAdapter(Length)
UNIT = FOLDER / "partner-rollouts-console.service"


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    return service_of(UNIT)


@with_systemd
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    assert complaints(UNIT, "/opt/partner-rollouts/bin/rollouts", tmp_path) == []


def test_its_command_is_one_that_there_is_and_listens_on_loopback(service: configparser.SectionProxy) -> None:
    program, *words = service["ExecStart"].split()
    assert program.endswith("/bin/rollouts")
    assert words[-2:] == ["--bind", LOOPBACK]
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


def test_it_lets_open_requests_end_and_does_not_try_again_what_only_a_person_can_mend(
    service: configparser.SectionProxy,
) -> None:
    grace: timedelta = ConsoleSettings.model_fields["graceful_shutdown"].default
    assert int(service["TimeoutStopSec"]) > grace.total_seconds() + 5
    assert (service["Restart"], int(service["RestartPreventExitStatus"])) == ("on-failure", Exit.BAD_INPUT)


def test_it_is_another_user_than_the_worker_who_must_not_read_the_key(service: configparser.SectionProxy) -> None:
    worker = service_of(FOLDER / "partner-rollouts-worker.service")
    assert service["User"] != worker["User"]
    assert service["Group"] != worker["Group"]
    assert "console.env" not in worker["EnvironmentFile"]


def test_its_settings_let_people_sign_in_and_decisions_be_signed(
    service: configparser.SectionProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service["EnvironmentFile"] == "/etc/partner-rollouts/worker.env -/etc/partner-rollouts/console.env"
    own, shared = settings_of(FOLDER / "console.env"), settings_of(FOLDER / "worker.env")
    assert {_field(name) for name in own} <= ConsoleSettings.model_fields.keys()
    # What only the console may know stands in no file that a worker reads.
    assert {_field(name) for name in shared} & (
        ConsoleSettings.model_fields.keys() - WorkerSettings.model_fields
    ) == set()
    take_for_environment(monkeypatch, shared | own)
    settings = load_console_settings()
    assert settings.oidc_client_secret is not None
    assert (settings.signing_key, settings.oidc_issuer) == (
        Path("/etc/partner-rollouts/signing-key.json"),
        own["ROLLOUTS_OIDC_ISSUER"],
    )


def test_the_documents_have_every_setting_with_its_default() -> None:
    tables = {**_table("console.md"), **_table("events.md")}
    assert {_field(name) for name in tables} == ConsoleSettings.model_fields.keys()
    for name, told in tables.items():
        assert _says(told, ConsoleSettings.model_fields[_field(name)].default), name


def _field(variable: str) -> str:
    return variable.removeprefix("ROLLOUTS_").lower()


def _table(document: str) -> dict[str, str]:
    """The defaults of a document's table of settings, as they are written there."""
    rows = re.findall(
        r"^\| `(ROLLOUTS_\w+)` \| ([^|]*?) \|", (ROOT / "docs" / document).read_text("utf-8"), re.MULTILINE
    )
    found = dict(rows)
    assert len(found) == len(rows) > 0
    return found


def _says(told: str, default: object) -> bool:
    """Whether the words of a document are a default: unset, a length, so many MiB, or so many of something."""
    if default is None:
        return told == "unset"
    if isinstance(default, timedelta):
        return bool(LENGTH.validate_python(told.strip("`")) == default)
    if isinstance(default, str):
        return told == f"`{default}`"
    number, _, unit = told.partition(" ")
    return int(number.replace(",", "")) * (2**20 if unit == "MiB" else 1) == default
