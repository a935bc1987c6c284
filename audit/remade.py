"""Holds a log against what the code writes down anew when a history is replayed, entry by entry."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from models.letter import NAMED
from models.log import LogEntry

RULED = (
    "kind",
    "phase",
    "verb",
    "actor",
    "role",
    "outcome",
    "gate",
    "request_id",
    "rationale",
    "evidence_digest",
)
"""What follows from the history and the rules alone. A later release may say it in other words, and tell more of it."""

WORDED = ("message", "refusal", "detail")

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9.]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?")
"""A message that was taken outside a task is dated some milliseconds otherwise when it is replayed."""


class Remade(NamedTuple):
    """By the entry's sequence, how the code writes it otherwise: `wrong` in what follows from the rules, `reworded` in
    its words alone."""

    wrong: dict[int, str]
    reworded: tuple[int, ...]


def remade(log: Iterable[LogEntry], made: Mapping[int, LogEntry], written: Collection[int]) -> Remade:
    """Hold a log against the entries that a replay has made.

    Args:
        made: by their sequence.
        written: the sequences that the history shows as written down.
    """
    wrong: dict[int, str] = {}
    reworded = []
    for entry in log:
        ours = made.get(entry.sequence)
        if ours is None:
            if entry.sequence in written:
                wrong[entry.sequence] = "the code does not write it"
            continue
        off = next((name for name in RULED if getattr(entry, name) != getattr(ours, name)), None)
        if off is not None:
            found, expected = (str(getattr(one, off))[:100] for one in (entry, ours))
            wrong[entry.sequence] = (
                f"the code writes another {off.replace('_', ' ')} (found {found}, expected {expected})"
            )
        elif any(_bare(getattr(entry, name)) != _bare(getattr(ours, name)) for name in WORDED):
            reworded.append(entry.sequence)
    return Remade(wrong, tuple(reworded))


def _bare(value: Any) -> Any:
    """What is told without its moments; and without the digests of letters, which cover some."""
    if isinstance(value, str):
        return _MOMENT.sub("", value)
    if isinstance(value, dict):
        return {name: _unsealed(one) if name == NAMED else _bare(one) for name, one in value.items()}
    return [_bare(one) for one in value] if isinstance(value, list | tuple) else value


def _unsealed(letters: Any) -> Any:
    if not isinstance(letters, list | tuple):
        return letters
    return [
        {name: part for name, part in one.items() if name != "digest"} if isinstance(one, dict) else one
        for one in letters
    ]
