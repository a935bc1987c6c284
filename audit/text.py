"""A decision log in Markdown, for people: the same entries, the same order, nothing left out but the proofs."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

from models.base import short
from models.letter import letters_of
from models.log import LogEntry

_HIDES = ("Cc", "Cf", "Cs")
_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>#|"})


def log_text(rollout: str, entries: Sequence[LogEntry]) -> str:
    """The log as Markdown; what somebody wrote cannot change what the page is made of."""
    parts = [f"# Decision log of {plain(rollout)}", f"{len(entries)} entries; times are UTC.", *map(_entry, entries)]
    return "\n\n".join(parts) + "\n"


def _entry(entry: LogEntry) -> str:
    head = f"## {entry.sequence} · {_moment(entry.at)} · {entry.kind.value}"
    facts = [
        ("Phase", entry.phase),
        ("Programme time", _moment(entry.programme_at)),
        ("Who", " · ".join(part for part in (entry.actor or "", entry.role or "") if part)),
        ("Signed by", f"{entry.signed_by.name} ({entry.signed_by.subject})" if entry.signed_by else ""),
        ("Asked", entry.verb or ""),
        ("Outcome", entry.outcome.value if entry.outcome else ""),
        ("Gate", entry.gate or ""),
        ("Why", entry.rationale or ""),
        ("Letters", _letters(entry)),
        ("Evidence", short(entry.evidence_digest) if entry.evidence_digest else ""),
    ]
    lines = "\n".join(f"- {name}: {plain(value)}" for name, value in facts if value)
    return f"{head}\n\n{plain(entry.message)}\n\n{lines}"


def _letters(entry: LogEntry) -> str:
    """The kinds of the letters that an entry names, each with its digest."""
    try:
        return ", ".join(f"{one.kind} {short(one.digest)}" for one in letters_of(entry.detail))
    except ValueError:
        return "what stands here names none"


def plain(text: str) -> str:
    """Text on one line in which no sign means anything to Markdown, hides, or turns the direction of writing."""
    seen = "".join(one if unicodedata.category(one) not in _HIDES else " " for one in text)
    return " ".join(seen.split()).translate(_MARKS)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
