"""`python -m worker`: run a worker with the settings of the environment."""

from __future__ import annotations

import asyncio
import os
import sys

from worker.main import MISCONFIGURED, run_worker
from worker.settings import SettingsError, load_settings


def main() -> int:
    """Run until told to stop; the exit code."""
    try:
        return asyncio.run(run_worker(load_settings()))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return MISCONFIGURED


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # At once: the SDK's threads may abort an interpreter that winds down.
    os._exit(code)
