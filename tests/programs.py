"""Programs that start servers of their own, run to their end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GOODBYE = 60.0
"""Seconds that an interrupted program gets to end its servers."""


def run_to_end(
    command: Sequence[str | Path], *, seconds: float | None = None, **more: Any
) -> subprocess.CompletedProcess[str]:
    """What a program said when it has ended. One that does not is interrupted as by Ctrl-C: killed, it would leave its
    servers behind.

    Args:
        seconds: after which it is taken for one that never ends; None: whoever gives up on the test decides.
        more: what `subprocess.Popen` takes.

    Raises:
        subprocess.TimeoutExpired: it did not end in time.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except BaseException:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=GOODBYE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
