"""Holds what a rollout did against what its evidence comes to, judged anew: gates, pauses, resumes and stops.

What keeps a gate closed and what pauses is read by the functions that the rollout itself calls (`models/allowance.py`);
the verdicts by those that its activity calls (`judgement/`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from audit.bundle import LOOKS, BundleError
from audit.evidence import evidence_path
from audit.exhibit import Exhibit
from audit.findings import Check, Gap
from audit.judging import Bench, Differs
from audit.looks import ListedLook, read_looks
from audit.standing import Standing, as_of, heard, judged, place_of
from models.allowance import Block, baseline_blocks, blocks, breached, unreadable
from models.evidence import Assessment
from models.log import EntryKind, LogEntry, Outcome
from models.plan import RolloutPlan
from models.plan_metric import OnBreach
from models.transitions import Level, rule_of

TOLD = 5
"""Verdicts named of those that could not be judged anew."""


def check_verdicts(exhibit: Exhibit) -> None:
    """Walk through the log, and judge."""
    if exhibit.plan is None or not exhibit.entries:
        return
    court = _Court(exhibit, exhibit.plan, _looks(exhibit))
    for entry in exhibit.entries:
        court.hear(entry)
    court.close()


def _looks(exhibit: Exhibit) -> tuple[ListedLook, ...] | None:
    content = exhibit.files.get(LOOKS)
    if content is None:
        return None
    try:
        return read_looks(content)
    except BundleError as problem:
        exhibit.wrong(Check.VERDICTS, problem.problem, file=LOOKS)
        return None


class _Newest(NamedTuple):
    """The newest assessment: by its entry, and as judged anew where the bundle holds it."""

    entry: LogEntry
    assessment: Assessment | None


class _Court:
    def __init__(self, exhibit: Exhibit, plan: RolloutPlan, looks: tuple[ListedLook, ...] | None) -> None:
        self._exhibit = exhibit
        self._plan = plan
        self._bench = Bench(exhibit.files, plan, looks)
        self._standing = Standing(plan)
        self._newest: _Newest | None = None
        self._due: tuple[EntryKind, LogEntry] | None = None
        self._same_release = exhibit.manifest.code.version == exhibit.version
        self._assessments = self._judged = 0
        self._unable: dict[str, list[str]] = {}
        self._claimed: list[str] = []

    def hear(self, entry: LogEntry) -> None:
        """Look at an entry where the rollout stood before it, then let it stand behind it."""
        standing = self._standing
        self._must_follow(entry)
        place = place_of(entry)
        if place is not None and place != standing.place:
            if not standing.stopping:
                self._may(entry, passed=True)
        elif entry.kind is EntryKind.PHASE and entry.gate is not None:
            self._may(entry, passed=False)
        elif entry.kind is EntryKind.BASELINE and entry.evidence_digest is not None:
            self._values(entry, entry.evidence_digest, baseline=True)
        elif judged(entry):
            self._assess(entry)
        elif entry.kind is EntryKind.ASSESSMENT and entry.verb is None and not heard(entry):
            self._assessments += 1
            self._not_judged("the log does not tell what they say", [f"entry {entry.sequence}"])
        else:
            self._halted(entry)
        standing.take(entry)
        if standing.newest is None:
            self._newest = None

    def close(self) -> None:
        """Say how much was judged, and what could not be."""
        exhibit = self._exhibit
        exhibit.counts |= {"assessments": self._assessments, "judged": self._judged}
        if self._due is not None:
            kind, because = self._due
            told = f"the evidence asks for a {kind.value}, and the log ends before one"
            exhibit.unproven(Check.VERDICTS, Gap.VERDICTS, told, entry=because.sequence)
        for why, names in self._unable.items():
            exhibit.unproven(Check.VERDICTS, Gap.VERDICTS, f"{len(names)} were not judged anew, {why}: {_some(names)}")
        if self._claimed:
            told = "verdicts count earlier looks of which there is no evidence here"
            exhibit.unproven(Check.VERDICTS, Gap.LOOKS, f"{len(self._claimed)} {told}: {_some(self._claimed)}")

    def _assess(self, entry: LogEntry) -> None:
        """Judge an assessment anew."""
        self._assessments += 1
        digest = entry.evidence_digest or ""
        try:
            stated = self._bench.assessment(digest)
            anew = self._bench.judge(stated, self._standing)
            self._values(entry, stated.snapshot_digest)
        except Exception as problem:  # evidence may be anything, and what judges it may fail in any way
            self._newest = _Newest(entry, None)
            self._not_read(entry, digest, problem)
            return
        self._told(entry, stated)
        for one in anew.differs:
            self._differs(entry, digest, one)
        for name, why in anew.unable.items():
            self._not_judged(why, [f"{name} (entry {entry.sequence})"])
        self._claimed += [f"{name} (entry {entry.sequence})" for name in anew.claimed]
        self._judged += not (anew.differs or anew.unable)
        found = anew.judged if self._same_release else stated
        self._newest = _Newest(entry, found)
        self._due = self._halts(entry, found)

    def _values(self, entry: LogEntry, digest: str, *, baseline: bool = False) -> None:
        """A snapshot says what the partners' rows come to."""
        try:
            found = self._bench.snapshot_of(digest, baseline=baseline)
        except Exception as problem:  # evidence may be anything, and what judges it may fail in any way
            self._not_read(entry, digest, problem)
            return
        for one in found:
            self._differs(entry, digest, one)

    def _differs(self, entry: LogEntry, digest: str, one: Differs) -> None:
        told = f"{one.whose} {one.what}; the evidence does not bear it out"
        where = {"file": evidence_path(digest), "entry": entry.sequence, "found": one.stated, "expected": one.ours}
        if self._same_release:
            self._exhibit.wrong(Check.VERDICTS, told, **where)
            return
        # The rules may have been others then.
        told = f"{one.whose} {one.what}; by this release's rules the evidence does not bear it out"
        self._exhibit.unproven(Check.VERDICTS, Gap.VERDICTS, told, **where)

    def _not_read(self, entry: LogEntry, digest: str, problem: Exception) -> None:
        """Evidence that is not there is missed where evidence is looked at; another release may have written it
        otherwise; what remains is none."""
        if self._same_release and not isinstance(problem, BundleError):
            told = " ".join(f"{type(problem).__name__}: {problem}".split())[:300]
            file = evidence_path(digest)
            self._exhibit.wrong(Check.VERDICTS, f"it cannot be judged: {told}", entry=entry.sequence, file=file)
        else:
            self._not_judged("their evidence cannot be read", [f"entry {entry.sequence}"])

    def _not_judged(self, why: str, names: list[str]) -> None:
        self._unable.setdefault(why, []).extend(names)

    def _told(self, entry: LogEntry, stated: Assessment) -> None:
        """The log tells of an assessment what that says."""
        verdicts = {f"{item.cohort}/{item.metric.value}": item.verdict.value for item in stated.items}
        said = entry.detail["verdicts"]
        for name in sorted(map(str, verdicts.keys() | said.keys())):
            if verdicts.get(name) != said.get(name):
                told = f"the log tells another verdict of {name[:200]} than the assessment"
                found, expected = str(said.get(name))[:200], str(verdicts.get(name))
                self._exhibit.wrong(Check.VERDICTS, told, entry=entry.sequence, found=found, expected=expected)
        if stated.as_of > entry.programme_at:
            told = "it was judged as of a moment that had not come"
            found, latest = stated.as_of.isoformat(), entry.programme_at.isoformat()
            self._exhibit.wrong(
                Check.VERDICTS, told, entry=entry.sequence, found=found, expected=f"{latest} or earlier"
            )
        if as_of(entry) != stated.as_of:
            told = "the log tells another moment of the assessment than that itself"
            found = str(entry.detail.get("as_of"))[:200]
            self._exhibit.wrong(
                Check.VERDICTS, told, entry=entry.sequence, found=found, expected=stated.as_of.isoformat()
            )

    def _may(self, entry: LogEntry, *, passed: bool) -> None:
        """Whether evidence allowed what an entry tells of: that a gate was opened or passed, or a phase left."""
        standing, way = self._standing, self._standing.way
        gated = rule_of(self._plan, way) is not None
        done = f"gate {way.key} was {'passed' if passed else 'opened'}" if gated else f"{standing.place[0]} was left"
        if way.level is Level.BASELINE:
            self._refuse(entry, done, self._missing_baselines())
        if way.level < Level.GUARDRAILS:
            return
        newest = self._newest
        if newest is None:
            self._wrong(entry, f"{done}, and nothing had been judged in this phase")
            return
        if entry.evidence_digest != newest.entry.evidence_digest:
            self._exhibit.wrong(
                Check.VERDICTS,
                f"{done} on other evidence than the newest, which is that of entry {newest.entry.sequence}",
                entry=entry.sequence,
                found=str(entry.evidence_digest),
                expected=str(newest.entry.evidence_digest),
            )
        self._fresh(entry, done, newest.entry, approved=passed and gated)
        if newest.assessment is not None:
            let_be = standing.let_be
            found = blocks(self._plan, standing.watched, let_be, newest.assessment, way.level)
            self._refuse(entry, done, found)

    def _fresh(self, entry: LogEntry, told: str, newest: LogEntry, *, approved: bool) -> None:
        standing, at = self._standing, as_of(newest)
        if standing.served_at is None:
            self._wrong(entry, f"{told} before the phase had served its time")
            return
        thawed = max((one.end for one in self._plan.freeze_windows if one.end <= entry.programme_at), default=None)
        moments: tuple[tuple[str, datetime | None], ...] = (
            ("the phase had served its time", standing.served_at),
            ("the last approval", standing.approved_at if approved else None),
            ("a hold ended during which nobody could see", standing.floor),
            ("a freeze ended", thawed),
        )
        for name, moment in moments:
            if moment is not None and (at is None or at < moment):
                self._wrong(entry, f"{told} on evidence from before {name} ({moment:%Y-%m-%d %H:%M})")

    def _missing_baselines(self) -> tuple[Block, ...]:
        try:
            found = self._bench.baselines(self._standing)
        except Exception:  # told where the baselines themselves are looked at
            return ()
        return baseline_blocks(self._plan, found, self._standing.let_be)

    def _refuse(self, entry: LogEntry, told: str, found: Iterable[Block]) -> None:
        against = "; ".join(one.detail for one in found)
        if against:
            self._wrong(entry, f"{told}, and the evidence does not allow it: {against[:1000]}")

    def _halts(self, entry: LogEntry, found: Assessment) -> tuple[EntryKind, LogEntry] | None:
        """What has to follow an assessment at once."""
        standing = self._standing
        if standing.stopping:
            return None
        if self._stops(found):
            return EntryKind.STOP, entry
        if standing.paused is None and breached(self._plan, found, standing.let_be, OnBreach.PAUSE):
            return EntryKind.PAUSE, entry
        return None

    def _stops(self, found: Assessment) -> bool:
        fulfilled = found.stop and self._standing.enrolled
        return bool(fulfilled or breached(self._plan, found, self._standing.let_be, OnBreach.STOP))

    def _must_follow(self, entry: LogEntry) -> None:
        """What an assessment asked for comes next; but for what is let go of, and warned of, on the way."""
        if self._due is None:
            return
        kind, because = self._due
        if entry.kind is EntryKind.RELEASE or entry.message.startswith(("Warning: ", "Resume refused: ")):
            return
        self._due = None
        if entry.kind is not kind:
            what = "a stop" if kind is EntryKind.STOP else "a pause"
            self._wrong(because, f"the evidence asks for {what}, and none followed")

    def _halted(self, entry: LogEntry) -> None:
        """A pause, a resume or a stop for which evidence is the reason."""
        newest = self._newest.assessment if self._newest else None
        if newest is None:
            return
        standing = self._standing
        let_be = standing.let_be
        breaches = breached(self._plan, newest, let_be, OnBreach.PAUSE)
        if entry.kind is EntryKind.PAUSE and entry.message.startswith("Paused (guardrail)") and not breaches:
            self._wrong(entry, "it was paused for a breach, and the evidence shows none")
        if entry.kind is EntryKind.STOP and entry.actor is None and not self._stops(newest):
            self._wrong(entry, "it was stopped by the plan's own conditions, and the evidence fulfils none")
        if entry.verb != "resume" or entry.evidence_digest is None:
            return
        against = [*breaches, *unreadable(newest, standing.paused_for, let_be)]
        names = ", ".join(f"{one.metric.value} of {one.cohort} is {one.verdict.value}" for one in against)
        if entry.kind is EntryKind.RESUME and entry.outcome is Outcome.APPLIED and (against or not newest.items):
            self._wrong(entry, f"it was resumed, and the evidence does not allow it: {names or 'nothing is judged'}")
        if entry.outcome is Outcome.REFUSED and not against and newest.items:
            self._wrong(entry, "it was not resumed, and the evidence stands in nobody's way")

    def _wrong(self, entry: LogEntry, told: str) -> None:
        self._exhibit.wrong(Check.VERDICTS, told, entry=entry.sequence)


def _some(names: list[str]) -> str:
    more = len(names) - TOLD
    return ", ".join(names[:TOLD]) + (f" and {more} more" if more > 0 else "")
