"""The unit for systemd: systemd understands all of it, and it agrees with the service it runs."""

from __future__ import annotations

import configparser
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.output import Exit
from console import LOOPBACK
from console.settings import ConsoleSettings
from tests.deploy.units import FOLDER, complaints, service_of, with_systemd

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
