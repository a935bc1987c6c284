"""Who PostgreSQL runs as: ourselves, or an unprivileged account when we are root, whom PostgreSQL refuses."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.embedded.errors import DirectoryError


@dataclass(frozen=True)
class Account:
    """The operating system's user that a server runs as."""

    uid: int
    gid: int
    name: str
    other: bool
    """Whether it is somebody else than the user who starts the server."""

    def process_arguments(self) -> dict[str, Any]:
        """What to pass to `subprocess` so that a process runs as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.other else {}

    def own(self, path: Path) -> None:
        """Make this account the owner of `path`."""
        if self.other:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, path: Path) -> bool:
        """Whether this account may pass through every folder above `path`."""
        return self.blocked_at(path) is None

    def blocked_at(self, path: Path) -> Path | None:
        """The topmost existing folder above `path` that this account may not pass through; None if there is none."""
        if not self.other:
            return None
        for folder in reversed(path.resolve().parents):
            if not folder.exists():
                return None
            found = folder.stat()
            if found.st_uid == self.uid:
                allowed = stat.S_IXUSR
            elif found.st_gid == self.gid:
                allowed = stat.S_IXGRP
            else:
                allowed = stat.S_IXOTH
            if not found.st_mode & allowed:
                return folder
        return None


def server_account() -> Account:
    """The account for PostgreSQL: ourselves, or `nobody` when we are root."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), f"uid {os.geteuid()}", other=False)
    try:
        found = pwd.getpwnam("nobody")
    except KeyError:
        raise DirectoryError(
            "PostgreSQL refuses to run as root, and this system has no account `nobody` to run it as instead. "
            "Run this as an ordinary user."
        ) from None
    return Account(found.pw_uid, found.pw_gid, found.pw_name, other=True)


def temporary_directory(prefix: str = "partner-rollouts-") -> Path:
    """A new temporary directory that embedded servers can work in, also when we are root."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=_reachable_temporary_root(server_account())))
    # Passing through is allowed, looking around is not; what is inside guards itself.
    path.chmod(0o711)
    return path


def reachable_copy(home: Path, account: Account) -> Path:
    """`home` itself if the account can reach it, otherwise a copy in a temporary directory, made once.

    Raises:
        DirectoryError: what lies where the copy belongs is not ours.
    """
    if account.can_reach(home / "bin" / "postgres"):
        return home
    program = (home / "bin" / "postgres").stat()
    key = hashlib.sha256(f"{home}:{program.st_mtime_ns}:{program.st_size}".encode()).hexdigest()[:16]
    copy = _reachable_temporary_root(account) / f"partner-rollouts-postgresql-{key}"
    if not copy.exists():
        _copy(home, copy)
    found = copy.lstat()
    # Everybody may write to a temporary directory: run nothing from there that somebody else could have put.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise DirectoryError(f"{copy} is not ours: remove it. It belongs to uid {found.st_uid}.")
    return copy / home.parent.name / home.name


def _copy(home: Path, copy: Path) -> None:
    """Copy the programs and, beside their package, the shared libraries they look for there."""
    package = home.parent
    half_done = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    try:
        shutil.copytree(home, half_done / package.name / home.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, half_done / libraries.name, symlinks=True)
        for folder in (half_done, half_done / package.name):
            folder.chmod(0o755)
        try:
            half_done.rename(copy)
        except OSError:
            # Another process was faster; its copy is as good.
            if not copy.is_dir():
                raise
    finally:
        shutil.rmtree(half_done, ignore_errors=True)


def _reachable_temporary_root(account: Account) -> Path:
    for folder in (Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")):  # noqa: S108
        if folder.is_dir() and account.can_reach(folder / "x"):
            return folder.resolve()
    raise DirectoryError(
        f"No temporary directory that the account {account.name} can reach. Set TMPDIR to one it can pass through."
    )
