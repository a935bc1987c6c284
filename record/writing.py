"""The files of a record: one document in two forms, the drawings, and an entry for each gate."""

from __future__ import annotations

from learning.record import DecisionRecord, GateStory
from record import course, lessons, shape
from record.document import Document, Figure, html, markdown
from record.gate_entry import gate_entry
from record.numbers import numbers
from record.words import Words


def document(record: DecisionRecord, language: str) -> Document:
    """The record in a language: the framework's chapters, with what happened between its rationale and its risks."""
    words = Words(language)
    parts = (
        *(shape.head, shape.decided, course.course, course.approvals, numbers),
        *(lessons.pauses, course.refused, lessons.time, lessons.surprises, lessons.risks, lessons.following),
    )
    blocks = [block for part in parts for block in part(words, record)]
    title = words("Decision record: %(title)s", title=record.plan.title)
    return Document(language, title, blocks)


def files(record: DecisionRecord, language: str) -> dict[str, str]:
    """Every file by its path. The same record gives the same text, whenever and wherever it is written.

    Args:
        language: `en` or `ja`.
    """
    whole = document(record, language)
    words = Words(language)
    found = {"record.md": markdown(whole), "record.html": html(whole)}
    found |= {one.file: one.svg for one in whole.blocks if isinstance(one, Figure)}
    for story in record.gates:
        found[gate_file(story)] = markdown(gate_entry(words, record, story))
    return found


def gate_file(story: GateStory) -> str:
    """Where the entry of a gate stands."""
    return f"gates/{story.number:02d}-{story.key.replace('_', '-')}.md"
