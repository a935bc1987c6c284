"""The unit for systemd: systemd understands all of it, and it agrees with the service it runs."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.output import Exit
from console import LOOPBACK
from console.settings import ConsoleSettings
from tests.docs.documents import ROOT

UNIT = ROOT / "deploy" / "systemd" / "partner-rollouts-console.service"
ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT)
    return unit["Service"]


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/partner-rollouts/bin/rollouts", sys.executable))
    assert ANALYZE is not None
    done = subprocess.run([ANALYZE, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []
    assert done.returncode == 0


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
