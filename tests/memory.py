"""Where the servers of tests keep their data: in memory, as long as there is plenty of it.

A file system takes ten times as long to copy a database's thousand small files as memory does, and tests do that for
each database of their own. Nothing that a test looks at is another there: files outlive a server that is killed.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import psutil

from deploy.embedded.account import temporary_directory

MEMORY = Path("/dev/shm")  # noqa: S108
"""Where Linux keeps files in memory; other systems have no such place."""

PLENTY = 6 * 2**30
"""Bytes that must be free, there and of all memory: three processes of a whole run use two or three GiB at most."""


def server_directory(prefix: str) -> Path:
    """A new directory for servers of a test, in memory or else on disk; who asks for it removes it.

    The account that PostgreSQL runs as may pass through it.
    """
    if not MEMORY.is_dir() or min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) < PLENTY:
        return temporary_directory(prefix)
    try:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY))
    except OSError:
        return temporary_directory(prefix)
    path.chmod(0o711)
    return path
