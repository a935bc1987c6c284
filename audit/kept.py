"""The record and the draft that a rollout kept when it ended: in a bundle they are what the log names, all of it."""

from __future__ import annotations

from audit.exhibit import Exhibit
from audit.findings import Check
from models.kept import misfits, named_in
from models.log import EntryKind

FOLDER = "record/"
"""Where they lie in a bundle."""


def check_kept(exhibit: Exhibit) -> None:
    """Every file that the log names is there as it was kept, and none that it does not name."""
    there = {path.removeprefix(FOLDER): one for path, one in exhibit.files.items() if path.startswith(FOLDER)}
    named = named_in(exhibit.entries)
    if named is None:
        unread = [one.sequence for one in exhibit.entries if one.kind is EntryKind.RECORD and one.detail]
        if unread:
            told = "this release cannot read what the entry names"
            exhibit.wrong(Check.RECORD, told, entry=unread[-1])
        for path in sorted(there):
            exhibit.wrong(Check.RECORD, "nothing in the log names this file", file=FOLDER + path)
        return
    for one in misfits(named.said, there):
        exhibit.wrong(
            Check.RECORD,
            one.what,
            file=FOLDER + one.path,
            entry=named.entry,
            found=one.found,
            expected=one.expected,
        )
    if named.said.entries >= named.entry:
        told = "it names a record of entries that were not written yet"
        exhibit.wrong(Check.RECORD, told, entry=named.entry, found=str(named.said.entries))
    exhibit.counts["kept"] = len(there)
