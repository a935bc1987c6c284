"""Examines a bundle with nothing but the bundle and the keys an auditor brings: what is proven, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from audit.bundle import LOG_TEXT, MANIFEST, BundleError, Manifest, allowed, read_manifest, sealed
from audit.checking_letters import check_letters
from audit.checking_log import check_checkpoints, check_plan, check_seen
from audit.evidence import check_evidence
from audit.exhibit import Exhibit, Trusted, take_log, take_plan
from audit.findings import Check, Finding, Gap, Proven, Report
from audit.gates import check_gates
from audit.history import check_history
from audit.kept import check_kept
from audit.signed import check_signatures
from audit.text import log_text
from audit.verdicts import check_verdicts
from models.base import Frozen

_STEPS: tuple[tuple[Check, Callable[[Exhibit], None]], ...] = (
    (Check.PLAN, take_plan),
    (Check.LOG, take_log),
    (Check.PLAN, check_plan),
    (Check.HISTORY, check_history),
    (Check.CHECKPOINTS, check_checkpoints),
    (Check.CHECKPOINTS, check_seen),
    (Check.EVIDENCE, check_evidence),
    (Check.SIGNATURES, check_signatures),
    (Check.GATES, check_gates),
    (Check.LETTERS, check_letters),
    (Check.VERDICTS, check_verdicts),
    (Check.RECORD, check_kept),
)


class Replays(Frozen):
    """What came of replaying the histories: `problems` names, by path, those that do not replay. `version` is the code
    it was done with; `why_not` tells why nothing was replayed. `otherwise` tells, by the entry's sequence, how the code
    writes it otherwise; those that are `reworded` it says in other words."""

    version: str = ""
    done: int = 0
    problems: dict[str, str] = {}
    otherwise: dict[int, str] = {}
    reworded: tuple[int, ...] = ()
    why_not: str | None = None


def verify(files: Mapping[str, bytes], trusted: Trusted, version: str) -> Report:
    """Everything that can be looked at without running anything.

    Args:
        files: the bundle, by path.
        version: this release: what it renders itself is compared only with what the same release has rendered.
    """
    try:
        manifest = read_manifest(files[MANIFEST])
    except KeyError:
        return _unreadable(Finding(check=Check.BUNDLE, what="it is missing", file=MANIFEST))
    except BundleError as problem:
        return _unreadable(Finding(check=Check.BUNDLE, what=problem.problem, file=problem.file))
    exhibit = Exhibit(files=files, manifest=manifest, trusted=trusted, version=version)
    _check_files(exhibit)
    for check, step in _STEPS:
        try:
            step(exhibit)
        except Exception as problem:  # a bundle may hold anything: what nobody has thought of is wrong, too
            exhibit.wrong(check, f"it cannot be examined: {type(problem).__name__}: {str(problem)[:200]}")
    _check_text(exhibit, version)
    if not trusted.log:
        exhibit.wrong(Check.CHECKPOINTS, "no key of checkpoints is pinned; without one nothing is proven")
    order = {check: number for number, check in enumerate(Check)}
    found = sorted(exhibit.findings, key=lambda one: order[one.check])
    return Report(proven=_proven(exhibit), findings=tuple(found))


def with_replays(report: Report, replays: Replays) -> Report:
    """The report with what came of replaying."""
    found = [
        Finding(check=Check.REPLAY, what=f"the history does not replay: {problem[:300]}", file=path)
        for path, problem in replays.problems.items()
    ]
    found += [
        Finding(check=Check.REPLAY, what=f"by its history {problem[:400]}", entry=number)
        for number, problem in replays.otherwise.items()
    ]
    if replays.reworded:
        told = f"entries that this release has other words for: {len(replays.reworded)}, this one first"
        found.append(Finding(check=Check.REPLAY, what=told, entry=replays.reworded[0], gap=Gap.REPLAY))
    if replays.why_not is not None:
        found.append(Finding(check=Check.REPLAY, what=replays.why_not, gap=Gap.REPLAY))
    proven = report.proven.model_copy(update={"replayed": replays.done, "version": replays.version})
    return Report(proven=proven, findings=(*report.findings, *found))


def _unreadable(finding: Finding) -> Report:
    return Report(proven=Proven(), findings=(finding,))


def _check_files(exhibit: Exhibit) -> None:
    """The files are those of the manifest, each as it says, and no other."""
    told, there = exhibit.manifest.files, {path for path in exhibit.files if path != MANIFEST}
    for path in sorted(there | set(told)):
        if not allowed(path):
            exhibit.wrong(Check.BUNDLE, "a bundle has no file of this name", file=path[:200])
        elif path not in told:
            exhibit.wrong(Check.BUNDLE, "the manifest does not name this file", file=path)
        elif path not in there:
            exhibit.wrong(Check.BUNDLE, "the file is missing", file=path)
        elif sealed(exhibit.files[path]) != told[path]:
            found = sealed(exhibit.files[path]).sha256
            told_here = "the file is not the one that the manifest names"
            exhibit.wrong(Check.BUNDLE, told_here, file=path, found=found, expected=told[path].sha256)


def _check_text(exhibit: Exhibit, version: str) -> None:
    """What people read says what is signed. Another release may have put it in other words."""
    text = exhibit.files.get(LOG_TEXT)
    if text is None or not exhibit.fine(Check.LOG):
        return
    if text == log_text(exhibit.manifest.rollout, exhibit.entries).encode(errors="replace"):
        return
    if exhibit.manifest.code.version == version:
        exhibit.wrong(Check.LOG, "the text for people does not say what the log says", file=LOG_TEXT)
    else:
        told = "the text for people says it in other words than this release; read the log itself"
        exhibit.unproven(Check.LOG, Gap.TEXT, told, file=LOG_TEXT)


def _proven(exhibit: Exhibit) -> Proven:
    manifest: Manifest = exhibit.manifest
    found = Proven(rollout=manifest.rollout, chain=manifest.chain, entries=len(exhibit.leaves))
    return found.model_copy(update=exhibit.counts)
