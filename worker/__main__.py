"""`python -m worker`: run a worker with the settings of the environment."""

from __future__ import annotations

import asyncio
import os
import sys

from worker.main import MISCONFIGURED, run_from_environment, spare_the_collector
from worker.settings import SettingsError

USAGE = "usage: python -m worker. Settings come from the environment: see docs/operations.md."


def main(arguments: list[str]) -> int:
    """Run until told to stop; the exit code."""
    if arguments:
        asked = arguments in (["--help"], ["-h"])
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else MISCONFIGURED
    spare_the_collector()
    try:
        return asyncio.run(run_from_environment())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return MISCONFIGURED


if __name__ == "__main__":
    code = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # At once: the SDK's threads may abort an interpreter that winds down.
    os._exit(code)
