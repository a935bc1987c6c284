"""Files with a private key: readable to their owner alone, one Ed25519 key each, written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from worker.private import NotPrivate, read_private
from worker.settings import SettingsError

_LARGEST = 64 * 1024


def read_key(path: Path, what: str, rotate: str) -> OKPKey:
    """The key of a file: one JSON Web Key with its private part `d`, readable to its owner alone.

    Args:
        what: how the key is called, for example `signing key`.
        rotate: the command that replaces it.

    Raises:
        SettingsError: it is missing, no such key, or others could read it.
    """
    try:
        text = read_private(path, _LARGEST)
    except NotPrivate as problem:
        raise SettingsError(
            f"The {what} {path} cannot be used: {problem}. If others have been there, `{rotate}`"
        ) from problem
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("kty") != "OKP" or data.get("crv") != "Ed25519" or not data.get("d"):
            raise ValueError("not an Ed25519 key with its private part")
        return OKPKey.import_key(data)
    except (ValueError, TypeError, JoseError) as problem:
        raise SettingsError(
            f"The {what} {path} cannot be used: it must be one JSON Web Key (kty OKP, crv Ed25519) with x and d"
        ) from problem


def write_private(path: Path, key: OKPKey) -> None:
    """Keep a key where nobody else can read it.

    Raises:
        OSError: it cannot be written.
    """
    data: dict[str, Any] = dict(key.as_dict(private=True))
    write_whole(path, json.dumps(data), 0o600)


def write_whole(path: Path, text: str, mode: int) -> None:
    """All of it or nothing, and never readable to others in between.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
