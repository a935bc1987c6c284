"""The units for systemd: systemd understands all of them, and they agree with the workers they run."""

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

WORKER, EFFECTS = FOLDER / "partner-rollouts-worker.service", FOLDER / "partner-rollouts-effects.service"


@pytest.fixture(scope="module", params=[WORKER, EFFECTS], ids=lambda unit: unit.stem)
def unit(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture(scope="module")
def service(unit: Path) -> configparser.SectionProxy:
    return service_of(unit)


@with_systemd
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    assert complaints(unit, "/opt/partner-rollouts/bin/python", tmp_path) == []


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


def test_the_worker_of_effects_serves_effects_alone_as_a_user_of_its_own_with_files_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_worker, of_effects = settings_of(FOLDER / "worker.env"), settings_of(FOLDER / "effects.env")
    take_for_environment(monkeypatch, of_worker | of_effects)
    settings = load_settings()
    assert settings.serves == "effects"
    # Side by side on one machine they share no port, no login and no file of keys.
    apart = ("ROLLOUTS_DATABASE_DSN", "ROLLOUTS_DECISION_KEYS", "ROLLOUTS_HEALTH_BIND", "ROLLOUTS_METRICS_BIND")
    assert [name for name in apart if of_worker[name] == of_effects[name]] == []
    assert of_worker["ROLLOUTS_SERVES"] == "workflows"
    worker, effects = service_of(WORKER), service_of(EFFECTS)
    files = effects["EnvironmentFile"].split()
    assert files == [*worker["EnvironmentFile"].split(), "/etc/partner-rollouts/effects.env"], "the later one counts"
    assert {worker["User"], effects["User"]} == {"partner-rollouts", "partner-rollouts-effects"}
    differing = {name for name in worker if worker[name] != effects[name]}
    assert differing == {"User", "Group", "EnvironmentFile", "StateDirectory"}
