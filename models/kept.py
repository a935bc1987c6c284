"""What a rollout keeps of itself when it ends: its decision record and the draft of the next cycle, under digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from pydantic import Field, ValidationError

from models.base import Frozen
from models.log import EntryKind, LogEntry
from models.work import Asked

INDEX = "files.json"
"""The list of what is kept: each file's path and sha256 (hex), in canonical form. Its own digest covers all of them."""

DRAFT = "next-cycle.yaml"
READINGS = "readings.json"
"""The readings that the record was made of: the watch may write one more while a rollout ends."""


_HEX = r"^[0-9a-f]{64}$"


class KeepRequest(Asked):
    """Keep the record and the draft of a rollout that is about to end, made of its log up to an entry. Key: rollout,
    chain and that entry."""

    entries: int


class KeepResult(Frozen):
    """What is kept: made of so many `entries`, the sha256 (hex) of its list, and of each document that people read.

    `no_draft` says why there is no draft of a next cycle.
    """

    entries: int = Field(gt=0)
    files: str = Field(pattern=_HEX)
    documents: dict[str, str]
    no_draft: str | None = None


class Named(Frozen):
    """What the log says is kept, and in which of its entries."""

    entry: int
    said: KeepResult


def sha256_of(content: bytes) -> str:
    """The digest of a file, as `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest()


def named_in(log: Iterable[LogEntry]) -> Named | None:
    """What a log says is kept; None where it says nothing, or nothing that can be read. The last word counts."""
    found = None
    for entry in log:
        if entry.kind is EntryKind.RECORD and entry.detail:
            try:
                found = Named(entry=entry.sequence, said=KeepResult.model_validate(entry.detail))
            except ValidationError:
                found = None
    return found


class Misfit(Frozen):
    """A file that is not what the log names: what is wrong with it, and the sha256 (hex) of it and of what was kept."""

    path: str
    what: str
    found: str | None = None
    expected: str | None = None


def misfits(said: KeepResult, files: Mapping[str, bytes]) -> tuple[Misfit, ...]:
    """Everything that is wrong with what is taken for kept, the list first: nothing where all of it is what was kept,
    and nothing else is among it.

    Args:
        files: by their path.
    """
    found = [_unlike(INDEX, files, said.files)]
    listed = _listed(files[INDEX]) if found == [None] else said.documents
    found += [_unlike(path, files, digest) for path, digest in sorted({**listed, **said.documents}.items())]
    found += [
        Misfit(path=path, what="nothing in the log names this file")
        for path in sorted(set(files) - set(listed) - {INDEX})
        if listed is not said.documents
    ]
    return tuple(one for one in found if one is not None)


def _unlike(path: str, files: Mapping[str, bytes], expected: str) -> Misfit | None:
    if path not in files:
        return Misfit(path=path, what="it was kept and is missing", expected=expected)
    digest = sha256_of(files[path])
    if digest == expected:
        return None
    return Misfit(path=path, what="it is not what was kept: changed or exchanged", found=digest, expected=expected)


def _listed(index: bytes) -> dict[str, str]:
    """What a list of files says; nothing where it is none, which whoever named its digest has made."""
    try:
        found = json.loads(index)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {path: str(digest) for path, digest in found.items()}
