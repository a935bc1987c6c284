"""Reads a unit for systemd, and asks systemd what it thinks of it."""

from __future__ import annotations

import configparser
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
    """What the unit says of its service."""
    found = _Unit(interpolation=None, strict=True)
    found.read(unit)
    return found["Service"]


def complaints(unit: Path, program: str, folder: Path) -> list[str]:
    """What systemd does not understand of a unit whose `program` were installed. It passes over such lines with exit
    code 0; other units of this machine are not our business."""
    here = folder / unit.name
    here.write_text(unit.read_text().replace(program, sys.executable))
    assert ANALYZE is not None
    done = subprocess.run([ANALYZE, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    return [line for line in done.stderr.splitlines() if unit.name in line]
