"""`python -m bench.parking ROLLOUTS [unsandboxed]`: our worker as it is when it has worked for long.

It remembers so many rollouts that others had open before, and gives free memory back every second instead of every half
minute, so that nobody has to wait for it to know what it needs. The worker has no setting for either.
"""

from __future__ import annotations

import runpy
import sys
from datetime import timedelta
from functools import partial

import worker.main
import worker.plugin
from bench.remembering import fill
from bench.unsandboxed import unsandboxed
from worker.giving_back import giving_back

EVERY = timedelta(seconds=1)


if __name__ == "__main__":
    _, remembered, *rest = sys.argv
    if rest == ["unsandboxed"]:
        worker.plugin._sandboxed = unsandboxed
    list(fill(int(remembered)))
    # Where the worker has it from when it begins.
    vars(worker.main)["giving_back"] = partial(giving_back, every=EVERY)
    sys.argv[1:] = []
    runpy.run_module("worker", run_name="__main__")
