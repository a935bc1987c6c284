"""What looking at a bundle brings to light: what is wrong, what cannot be proven, and one line of what is."""

from __future__ import annotations

from enum import StrEnum

from models.base import Frozen, many

MOST = 200
"""Findings kept of each check: one broken file can be wrong in every line."""


class Check(StrEnum):
    """What was looked at, in the order in which it is."""

    BUNDLE = "bundle"
    PLAN = "plan"
    LOG = "log"
    CHECKPOINTS = "checkpoints"
    EVIDENCE = "evidence"
    HISTORY = "history"
    SIGNATURES = "signatures"
    GATES = "gates"
    LETTERS = "letters"
    VERDICTS = "verdicts"
    RECORD = "record"
    REPLAY = "replay"


class Gap(StrEnum):
    """What can be left unproven without anything being wrong; an auditor may allow each by its name."""

    UNCOVERED = "uncovered"
    """Entries that no checkpoint covers."""
    UNSIGNED = "unsigned"
    """Decisions that nobody had to sign: who decided is claimed."""
    DECISION_KEYS = "decision-keys"
    """Signed decisions, but no pinned key to verify them with."""
    HISTORY = "history"
    """No history, or not all of it: requests cannot be held against the log."""
    UNANSWERED = "unanswered"
    """Requests at the end of an open rollout's history that no entry answers yet."""
    REPLAY = "replay"
    """The history was not replayed: it names another release than the one that looks."""
    VERDICTS = "verdicts"
    """Verdicts that could not be judged anew."""
    LOOKS = "looks"
    """Verdicts that rest on how often: on earlier looks of which there is a list, and no evidence."""
    PLAN = "plan"
    """Only eight digits bind the plan to the log."""
    TEXT = "text"
    """The log for people in other words than this release has for it: another one may have written it."""
    LETTERS = "letters"
    """Letters that the log does not name: the watch's and the sweep's, and those of before it named any."""


class Finding(Frozen):
    """Something wrong, or something that could not be proven (`gap`).

    `file` is a path in the bundle, `entry` the sequence of an entry of the log.
    """

    check: Check
    what: str
    file: str | None = None
    entry: int | None = None
    found: str | None = None
    expected: str | None = None
    gap: Gap | None = None

    @property
    def sentence(self) -> str:
        """Where, what, and what was found and expected, in one line."""
        where = ", ".join(
            part for part in (self.file or "", f"entry {self.entry}" if self.entry is not None else "") if part
        )
        told = f"{where}: {self.what}" if where else self.what
        parts = []
        if self.found is not None:
            parts.append(f"found {self.found}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        return f"{told} ({', '.join(parts)})" if parts else told


class Proven(Frozen):
    """How much was proven, in numbers; `letters` are as the log names them, `judged` of `assessments` came to the same
    when they were judged anew, `replayed` of `histories` were replayed with the code they name, and `seen` of the log's
    checkpoints were seen elsewhere."""

    rollout: str = ""
    chain: str = ""
    entries: int = 0
    covered: int = 0
    checkpoints: int = 0
    seen: int = 0
    evidence: int = 0
    signatures: int = 0
    requests: int = 0
    gates: int = 0
    letters: int = 0
    assessments: int = 0
    judged: int = 0
    kept: int = 0
    histories: int = 0
    replayed: int = 0
    version: str = ""


class Report(Frozen):
    """What was proven of a bundle, and everything that was found."""

    proven: Proven
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What is wrong, in the order of the checks."""
        return tuple(one for one in self.findings if one.gap is None)

    def gaps(self, allowed: frozenset[Gap] = frozenset()) -> tuple[Finding, ...]:
        """What could not be proven, but for what the auditor allows."""
        return tuple(one for one in self.findings if one.gap is not None and one.gap not in allowed)

    @property
    def line(self) -> str:
        """What is proven, in one line; or the first thing that is wrong."""
        if self.wrong:
            more = len(self.wrong) - 1
            return f"NOT PROVEN: {self.wrong[0].sentence}" + (f"; and {more} more" if more else "")
        one = self.proven
        told = [
            f"{one.covered} of {many(one.entries, 'entry', 'entries')} under "
            + many(one.checkpoints, "signed checkpoint")
            + (f", {one.seen} of them seen elsewhere" if one.seen else ""),
            many(one.evidence, "piece of evidence", "pieces of evidence"),
            many(one.signatures, "signature"),
            many(one.gates, "gate by its rules", "gates by their rules"),
            f"{one.judged} of {many(one.assessments, 'assessment')} judged anew",
            many(one.requests, "request beside its entry", "requests beside their entries"),
            *(
                [many(one.letters, "letter as the log names it", "letters as the log names them")]
                if one.letters
                else []
            ),
            f"{one.replayed} of {many(one.histories, 'history', 'histories')} replayed with {one.version}",
        ]
        if one.kept:
            told.insert(-1, f"{many(one.kept, 'file')} of the record that was kept")
        kinds = tuple(dict.fromkeys(finding.gap.value for finding in self.findings if finding.gap is not None))
        missing = f"; not proven: {', '.join(kinds)}" if kinds else ""
        return f"Proven of {one.rollout}: {', '.join(told)}{missing}."
