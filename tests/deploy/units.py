"""Reads a unit for systemd, and asks systemd what it thinks of it."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
ANALYZE = shutil.which("systemd-analyze")
with_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")


class _Unit(configparser.ConfigParser):
    def optionxform(self, optionstr: str) -> str:
        """Names as they are written: systemd tells large letters from small ones."""
        return optionstr


def service_of(unit: Path) -> configparser.SectionProxy:
    """What the unit says of its service. Only EnvironmentFile may stand there more than once; here it is one line."""
    text = unit.read_text(encoding="utf-8")
    found = _Unit(interpolation=None, strict=True)
    found.read_string(re.sub(r"^EnvironmentFile=.*\n", "", text, flags=re.MULTILINE))
    found["Service"]["EnvironmentFile"] = " ".join(re.findall(r"^EnvironmentFile=(.*)$", text, re.MULTILINE))
    return found["Service"]


def settings_of(file: Path) -> dict[str, str]:
    """What a file of settings would set, if what stands behind # in it were set as well."""
    lines = [line.lstrip("#") for line in file.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))


def take_for_environment(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    """These settings of ours, and no others."""
    for name in list(os.environ):
        if name.startswith(("ROLLOUTS_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    for name, value in settings.items():
        if name.startswith("ROLLOUTS_"):
            monkeypatch.setenv(name, value)


def complaints(unit: Path, program: str, folder: Path) -> list[str]:
    """What systemd does not understand of a unit whose `program` were installed. It passes over such lines with exit
    code 0; other units of this machine are not our business."""
    here = folder / unit.name
    here.write_text(unit.read_text().replace(program, sys.executable))
    assert ANALYZE is not None
    done = subprocess.run([ANALYZE, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    return [line for line in done.stderr.splitlines() if unit.name in line]
