"""`python -m worker`: run a worker with the settings of the environment."""

from __future__ import annotations

import asyncio
import sys

from worker.main import run_worker
from worker.settings import SettingsError, load_settings

if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(run_worker(load_settings())))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
