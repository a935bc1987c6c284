"""Reads files that hold secrets, which nobody may read but whoever runs the process."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class NotPrivate(Exception):
    """The file cannot be read, or others could have read it; the message says which, and what is allowed."""


def read_private(path: Path, most: int) -> bytes:
    """The file's first `most` bytes.

    Raises:
        NotPrivate: it cannot be read, is no plain file, or its mode lets others in.
    """
    try:
        # Looked at through the open file: nobody can put another in its place in between. A pipe would keep us waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        raise NotPrivate(f"it cannot be read: {problem.strerror}") from problem
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotPrivate("it is no plain file")
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077:
            raise NotPrivate(f"it has mode {mode:04o}, so that others can read it; allowed: 0600. `chmod 600 {path}`")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    except OSError as problem:
        raise NotPrivate(f"it cannot be read: {problem.strerror}") from problem
    finally:
        os.close(descriptor)
