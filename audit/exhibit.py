"""What a bundle holds, read as far as it can be read; what cannot becomes a finding, and is looked at no further."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from audit.bundle import LOG, PLAN, BundleError, Manifest, json_of
from audit.errors import NotSound
from audit.findings import MOST, Check, Finding, Gap
from audit.leaves import Leaf, read_leaf
from audit.notes import VerifierKey
from audit.trail import Line
from models.base import Frozen, digest_json
from models.canonical import canonical
from models.claims import PublicKey
from models.command import Command
from models.log import LogEntry
from models.plan import Decisions, RolloutPlan


class Seen(Frozen):
    """What an auditor knows of the log from elsewhere, a letter for instance: its root (32 bytes) at that size."""

    size: int
    root: bytes


class Trusted(Frozen):
    """What an auditor brings: keys of checkpoints and of decisions, and checkpoints seen elsewhere. Those that a bundle
    brings are trusted by nobody."""

    log: tuple[VerifierKey, ...] = ()
    decisions: tuple[PublicKey, ...] = ()
    seen: tuple[Seen, ...] = ()


@dataclass
class Exhibit:
    """A bundle under examination, by the release `version`. `asked` has the request behind each entry that answers one,
    by sequence; `complete` tells whether the history is there from the first run on."""

    files: Mapping[str, bytes]
    manifest: Manifest
    trusted: Trusted
    version: str = ""
    plan: RolloutPlan | None = None
    leaves: list[bytes] = field(default_factory=list)
    log: list[Leaf] = field(default_factory=list)
    entries: list[LogEntry] = field(default_factory=list)
    asked: dict[int, tuple[Line, Command | None]] = field(default_factory=dict)
    recorded: dict[int, LogEntry] = field(default_factory=dict)
    complete: bool = False
    closed: bool = False
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def wrong(self, check: Check, what: str, **where: Any) -> None:
        """Something is wrong. Beyond the most findings of a check it is only known that there are more."""
        if sum(one.check is check for one in self.findings) < MOST:
            self.findings.append(Finding(check=check, what=what, **where))

    def unproven(self, check: Check, gap: Gap, what: str, **where: Any) -> None:
        """Something could not be proven."""
        self.findings.append(Finding(check=check, what=what, gap=gap, **where))

    @property
    def signed(self) -> bool:
        """Whether decisions of the rollout must be signed: by its plan, or as the log's first entry says."""
        if self.plan is not None and self.plan.decisions is not None:
            return self.plan.decisions is Decisions.SIGNED
        return bool(self.entries) and self.entries[0].message.endswith("decisions are signed")

    def fine(self, check: Check) -> bool:
        """Whether a check found nothing wrong."""
        return not any(one.check is check and one.gap is None for one in self.findings)


def read_plan(content: bytes) -> RolloutPlan:
    """A plan in the form in which its digest covers it.

    Raises:
        ValidationError: it is no plan of this release.
    """
    return RolloutPlan.model_validate_json(content, by_name=True, by_alias=True)


def take_plan(exhibit: Exhibit) -> None:
    """Read the plan."""
    try:
        found = json_of(exhibit.files, PLAN)
        plan = read_plan(exhibit.files[PLAN])
        written = canonical(found)
    except BundleError as problem:
        exhibit.wrong(Check.PLAN, problem.problem, file=PLAN)
        return
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        exhibit.wrong(Check.PLAN, f"this release cannot read the plan: {where}: {first['msg'][:200]}", file=PLAN)
        return
    except ValueError as problem:
        exhibit.wrong(Check.PLAN, f"the plan has no canonical form: {str(problem)[:200]}", file=PLAN)
        return
    if written != exhibit.files[PLAN]:
        exhibit.wrong(
            Check.PLAN, "the plan is not written canonically, so its digest is that of other bytes", file=PLAN
        )
    if digest_json(found) != plan.digest:
        told = "the plan says what this release reads as something else"
        exhibit.wrong(Check.PLAN, told, file=PLAN, found=plan.digest, expected=digest_json(found))
    if plan.id != exhibit.manifest.rollout:
        told = "the plan is of another rollout"
        exhibit.wrong(Check.PLAN, told, file=PLAN, found=repr(plan.id), expected=repr(exhibit.manifest.rollout))
    exhibit.plan = plan


def take_log(exhibit: Exhibit) -> None:
    """Read the log, leaf by leaf, up to the first that cannot be read."""
    content = exhibit.files.get(LOG)
    if content is None:
        exhibit.wrong(Check.LOG, "it is missing", file=LOG)
        return
    if not content.endswith(b"\n"):
        exhibit.wrong(Check.LOG, "the last line does not end: the log was cut off", file=LOG)
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    exhibit.leaves = lines
    for number, line in enumerate(lines, 1):
        try:
            leaf = read_leaf(line)
            entry = LogEntry.model_validate_json(json.dumps(leaf.entry))
        except NotSound as problem:
            exhibit.wrong(Check.LOG, str(problem)[:300], file=LOG, entry=number)
            return
        except ValidationError as problem:
            first = problem.errors(include_url=False, include_input=False)[0]
            told = f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg'][:200]}"
            exhibit.wrong(Check.LOG, f"this release cannot read the entry: {told}", file=LOG, entry=number)
            return
        if not _in_place(exhibit, leaf, number):
            return
        exhibit.log.append(leaf)
        exhibit.entries.append(entry)
    if not exhibit.entries:
        exhibit.wrong(Check.LOG, "the log has no entry", file=LOG)


def _in_place(exhibit: Exhibit, leaf: Leaf, number: int) -> bool:
    manifest = exhibit.manifest
    if leaf.sequence != number:
        told = "an entry is missing, moved or there twice"
        exhibit.wrong(Check.LOG, told, file=LOG, entry=number, found=str(leaf.sequence), expected=str(number))
        return False
    if (leaf.rollout, leaf.chain) != (manifest.rollout, manifest.chain):
        exhibit.wrong(
            Check.LOG,
            "the entry is of another rollout",
            file=LOG,
            entry=number,
            found=f"{leaf.rollout}/{leaf.chain}"[:200],
            expected=f"{manifest.rollout}/{manifest.chain}",
        )
        return False
    return True
