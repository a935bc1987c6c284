"""The history driver itself: a plan of one's own over one's own files, on servers that it starts and ends."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.plans import CONTROL, PILOT, WAVE_1, plan_data
from tests.programs import run_to_end
from tests.real_data import ROOT

DRIVER = ROOT / "examples" / "run_history.py"
BEGIN = datetime(2025, 1, 6, tzinfo=UTC)
MAPPING = {
    "partners": {"source_id": "id", "name": "id"},
    "leads": {"source_id": "id", "partner_id": "to", "assigned_at": "at", "contact_due_at": "due"}
    | {"first_contact_at": "done"},
}


def drive(*arguments: str | Path, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("ROLLOUTS_")}
    command = [sys.executable, DRIVER, *arguments, *(("--dir", home) if home else ())]
    return run_to_end(command, env=env, cwd=ROOT)


def write_facts(directory: Path, days: int) -> None:
    """A lead a day for every partner, each contacted within the hour."""
    partners = [*PILOT, *CONTROL, *WAVE_1]
    with (directory / "partners.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id"], *([one] for one in partners)])
    with (directory / "leads.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "to", "at", "due", "done"])
        for day in range(-120, days):
            at = BEGIN + timedelta(days=day)
            times = [(at + timedelta(hours=hours)).isoformat() for hours in (0, 24, 1)]
            rows.writerows([f"{one}-{day}", one, *times] for one in partners)
    for kind, fields in MAPPING.items():
        known = {"after": "assigned_at"} if kind == "leads" else {"at": "2024-01-01T00:00:00Z"}
        mapping = {"kind": kind, "source_system": "own", "fields": fields, "known": known}
        (directory / f"{kind}.yaml").write_text(yaml.safe_dump(mapping))


def write_plan(directory: Path) -> Path:
    """Pilot, validate and one wave in six weeks, on the SLA alone."""
    data = plan_data(id="own-plan")
    rest = [{"metric": "contribution_margin", "reason": "not in these files"}]
    data |= {"metrics": data["metrics"][:1], "not_measured": [*data["not_measured"], *rest]}
    data["cohorts"]["waves"].pop()
    path = directory / "own-plan.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True))
    return path


@pytest.mark.timeout(900)
def test_a_plan_of_ones_own_runs_over_ones_own_files_to_its_end(tmp_path: Path) -> None:
    # More facts than the six weeks need: on a busy machine owners take longer.
    write_facts(tmp_path, days=1000)
    imports = [part for kind in MAPPING for part in ("--import", kind, f"{kind}.csv", tmp_path / f"{kind}.yaml")]
    plan = write_plan(tmp_path)
    done = drive(plan, "--data", tmp_path, *imports, "--clock-start", "2025-01-06", "--speed", "500000")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("\n== Test plan: completed, 2025-01-06 to ")
    table = [re.split(r"  +", line) for line in done.stdout.split("== ")[1].splitlines()]
    rows = {(row[0], row[3]): row[4:9] for row in table if len(row) > 8}
    for row, last in (
        (rows["pilot", "pilot"], "met"),
        (rows["scale wave 1", "wave-one"], "met"),
        (rows["scale wave 1", "(control)"], "not enrolled"),
    ):
        # A look in the first hour of a day finds that day's twelve leads pending.
        assert row.pop(3) in ("336", "324")
        assert row == ["100.00 %", "100.00 %", "12", last]
    assert "Sam Sponsor (sponsor): decide, applied." in done.stderr
    assert "$ rollouts data import leads" in done.stderr
    assert done.stderr.rstrip().endswith("Ended: console, worker, Temporal, PostgreSQL.")


def test_a_file_that_is_not_there_is_named_before_any_server_starts(tmp_path: Path) -> None:
    home = tmp_path / "servers"
    plan = ROOT / "examples" / "plans" / "boston311-follow-up.yaml"
    done = drive(plan, "--data", tmp_path, home=home)
    assert done.returncode == 2
    assert f"No such file: {tmp_path / 'cases.csv.gz'}" in done.stderr
    assert not home.exists()


def test_a_plan_that_nothing_is_known_of_asks_what_to_import(tmp_path: Path) -> None:
    done = drive(write_plan(tmp_path), "--data", tmp_path)
    assert done.returncode == 2
    assert "Nothing is known of own-plan: say what to --import and the --clock-start." in done.stderr
