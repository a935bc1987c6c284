"""The unit for systemd: systemd understands all of it, and it agrees with the worker it runs."""

from __future__ import annotations

import configparser
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.deploy.units import FOLDER, complaints, service_of, settings_of, take_for_environment, with_systemd
from worker.main import MISCONFIGURED
from worker.settings import WorkerSettings, load_settings

UNIT = FOLDER / "partner-rollouts-worker.service"


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    return service_of(UNIT)


@with_systemd
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    assert complaints(UNIT, "/opt/partner-rollouts/bin/python", tmp_path) == []


def test_it_gives_a_worker_longer_to_end_than_the_worker_gives_its_activities(
    service: configparser.SectionProxy,
) -> None:
    grace: timedelta = WorkerSettings.model_fields["graceful_shutdown"].default
    assert int(service["TimeoutStopSec"]) > grace.total_seconds() + 5


def test_it_does_not_try_again_what_only_a_person_can_mend(service: configparser.SectionProxy) -> None:
    assert service["Restart"] == "on-failure"
    assert int(service["RestartPreventExitStatus"]) == MISCONFIGURED


def test_its_command_starts_a_worker(service: configparser.SectionProxy) -> None:
    program, *arguments = service["ExecStart"].split()
    assert program.endswith("/bin/python")
    done = subprocess.run(
        [sys.executable, *arguments, "--help"], cwd="/", env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "python -m worker" in done.stdout


def test_its_settings_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_of(FOLDER / "worker.env")
    ours = {name for name in found if name.startswith("ROLLOUTS_")}
    assert {name.removeprefix("ROLLOUTS_").lower() for name in ours} <= WorkerSettings.model_fields.keys()
    take_for_environment(monkeypatch, found)
    settings = load_settings()
    assert settings.smtp_host
    assert settings.health_bind
    assert settings.decision_keys
