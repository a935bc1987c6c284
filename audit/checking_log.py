"""Whether a log is the one that was signed: its plan, its checkpoints over the tree of its entries, and their keys."""

from __future__ import annotations

import re

from audit.bundle import DECISION_KEYS, LOG_KEYS, PLAN, BundleError, json_of
from audit.checkpoint import Checkpoint, Link, link_of, open_own, origin_of
from audit.errors import NotSound
from audit.exhibit import Exhibit
from audit.findings import Check, Gap
from audit.notes import read_vkeys
from audit.tree import Edge, leaf_hash
from models.base import short
from models.claims import PublicKey

_NAMED = re.compile(r"plan ([0-9a-f]{8}),")


def check_plan(exhibit: Exhibit) -> None:
    """The plan is the one that the log was opened for."""
    if exhibit.plan is None or not exhibit.entries:
        return
    first, digest = exhibit.entries[0], exhibit.plan.digest
    named = first.detail.get("plan")
    if named is None:
        found = _NAMED.search(first.message)
        if found is None or found[1] != short(digest):
            told = "the log was opened for another plan"
            exhibit.wrong(
                Check.PLAN, told, file=PLAN, entry=1, found=short(digest), expected=found[1] if found else "its digest"
            )
        elif not (exhibit.signed and exhibit.trusted.decisions):
            told = "the log of this older rollout names only eight digits of its plan"
            exhibit.unproven(Check.PLAN, Gap.PLAN, told, file=PLAN, entry=1)
    elif named != digest:
        told = "the log was opened for another plan"
        exhibit.wrong(Check.PLAN, told, file=PLAN, entry=1, found=digest, expected=str(named)[:100])


def check_checkpoints(exhibit: Exhibit) -> None:
    """Each checkpoint is signed by a pinned key, follows the one before, and covers these very entries."""
    _check_log_keys(exhibit)
    paths = sorted(path for path in exhibit.files if path.startswith("checkpoints/"))
    if not paths:
        exhibit.wrong(Check.CHECKPOINTS, "the bundle has no signed checkpoint; without one nothing is proven")
    before: tuple[Checkpoint, Link] | None = None
    edge = Edge()
    for number, path in enumerate(paths, 1):
        read = _read(exhibit, path)
        if read is None or not _follows(exhibit, path, number, read, before):
            return
        checkpoint, _ = read
        if checkpoint.size > len(exhibit.leaves):
            told = "the log was cut off: it has fewer entries than this checkpoint covers"
            exhibit.wrong(
                Check.CHECKPOINTS, told, file=path, found=str(len(exhibit.leaves)), expected=str(checkpoint.size)
            )
            return
        covered = edge.size
        edge = edge.grown(leaf_hash(one) for one in exhibit.leaves[edge.size : checkpoint.size])
        if edge.root() != checkpoint.root:
            _differs(exhibit, path, checkpoint, covered, before)
            return
        before = read
        exhibit.counts["checkpoints"] = number
    _check_covered(exhibit, edge.size)


def check_seen(exhibit: Exhibit) -> None:
    """The log is the one of which somebody has seen checkpoints elsewhere: not cut off since, and not written anew.

    Whoever has the log's key and the database can make another log whose checkpoints are all in order. This is what
    shows it.
    """
    edge = Edge()
    for one in sorted(exhibit.trusted.seen, key=lambda seen: seen.size):
        if one.size > len(exhibit.leaves):
            told = "the log was cut off: a checkpoint over more entries was seen elsewhere"
            found = f"{len(exhibit.leaves)} entries"
            exhibit.wrong(Check.CHECKPOINTS, told, found=found, expected=f"{one.size} or more")
            return
        edge = edge.grown(leaf_hash(leaf) for leaf in exhibit.leaves[edge.size : one.size])
        if edge.root() != one.root:
            told = f"this is another log than the one whose checkpoint over {one.size} entries was seen elsewhere"
            exhibit.wrong(Check.CHECKPOINTS, told, found=edge.root().hex(), expected=one.root.hex())
            return
    exhibit.counts["seen"] = len(exhibit.trusted.seen)


def _read(exhibit: Exhibit, path: str) -> tuple[Checkpoint, Link] | None:
    manifest = exhibit.manifest
    try:
        checkpoint = open_own(exhibit.files[path], exhibit.trusted.log)
        link = link_of(checkpoint)
    except NotSound as problem:
        exhibit.wrong(Check.CHECKPOINTS, str(problem)[:400], file=path)
        return None
    origin = origin_of(manifest.deployment, manifest.rollout, manifest.chain)
    if checkpoint.origin != origin:
        told = "the checkpoint is of another log"
        exhibit.wrong(Check.CHECKPOINTS, told, file=path, found=repr(checkpoint.origin)[:200], expected=repr(origin))
        return None
    return checkpoint, link


def _follows(
    exhibit: Exhibit, path: str, number: int, read: tuple[Checkpoint, Link], before: tuple[Checkpoint, Link] | None
) -> bool:
    """Numbers without a gap, each naming the digest of the one before; sizes and moments never go back."""
    checkpoint, link = read
    said = str(int(path.removeprefix("checkpoints/").removesuffix(".txt")))
    for found, told in (
        (said, "a checkpoint is missing"),
        (str(link.number), "the checkpoint stands in another place"),
    ):
        if found != str(number):
            exhibit.wrong(Check.CHECKPOINTS, told, file=path, found=f"number {found}", expected=f"number {number}")
            return False
    previous = before[0].digest if before else None
    if link.previous != previous:
        told = "the checkpoint does not follow the one before it: one was taken out or exchanged, or the log was forked"
        exhibit.wrong(Check.CHECKPOINTS, told, file=path, found=f"previous {link.previous}", expected=str(previous))
        return False
    if before and (checkpoint.size < before[0].size or link.at < before[1].at):
        told = "the checkpoint goes back behind the one before it"
        found, expected = f"{checkpoint.size} entries at {link.at}", f"{before[0].size} at {before[1].at} or later"
        exhibit.wrong(Check.CHECKPOINTS, told, file=path, found=found, expected=expected)
        return False
    return True


def _differs(
    exhibit: Exhibit, path: str, checkpoint: Checkpoint, covered: int, before: tuple[Checkpoint, Link] | None
) -> None:
    """Name what is not as it was signed, as nearly as the checkpoints and the history's copy tell."""
    if before and before[0].size == checkpoint.size:
        told = f"the log was forked: two signed checkpoints over {checkpoint.size} entries have other roots"
        expected = before[0].root.hex()
        exhibit.wrong(Check.CHECKPOINTS, told, file=path, found=checkpoint.root.hex(), expected=expected)
        return
    changed = [
        entry.sequence
        for entry in exhibit.entries[covered : checkpoint.size]
        if entry.sequence in exhibit.recorded and exhibit.recorded[entry.sequence] != entry
    ]
    told = f"entries {covered + 1} to {checkpoint.size} are not those that were signed"
    if changed:
        told += f"; by the history it is entry {changed[0]}"
    exhibit.wrong(Check.CHECKPOINTS, told, file=path, entry=changed[0] if changed else covered + 1)


def _check_covered(exhibit: Exhibit, size: int) -> None:
    exhibit.counts["covered"] = size
    left = len(exhibit.leaves) - size
    if left:
        told = f"no checkpoint covers the newest {left} of {len(exhibit.leaves)} entries"
        exhibit.unproven(Check.CHECKPOINTS, Gap.UNCOVERED, told, entry=size + 1)


def _check_log_keys(exhibit: Exhibit) -> None:
    """Keys in the bundle are there for convenience; one that is not pinned would be believed by somebody."""
    if LOG_KEYS not in exhibit.files:
        return
    try:
        keys = read_vkeys(exhibit.files[LOG_KEYS].decode())
    except (NotSound, UnicodeDecodeError) as problem:
        exhibit.wrong(Check.CHECKPOINTS, str(problem)[:300], file=LOG_KEYS)
        return
    for key in keys:
        if key not in exhibit.trusted.log:
            told = "the bundle brings a key of checkpoints that is not pinned"
            exhibit.wrong(Check.CHECKPOINTS, told, file=LOG_KEYS, found=key.vkey)


def check_decision_keys(exhibit: Exhibit) -> None:
    """The same for the keys of decisions."""
    if DECISION_KEYS not in exhibit.files:
        return
    try:
        found = json_of(exhibit.files, DECISION_KEYS)
        keys = [PublicKey.model_validate(one) for one in found["keys"]]
    except (BundleError, ValueError, TypeError, KeyError) as problem:
        exhibit.wrong(Check.SIGNATURES, f"these are no keys: {str(problem)[:200]}", file=DECISION_KEYS)
        return
    for key in keys:
        if exhibit.trusted.decisions and key not in exhibit.trusted.decisions:
            told = "the bundle brings a key of decisions that is not pinned"
            exhibit.wrong(Check.SIGNATURES, told, file=DECISION_KEYS, found=f"{key.kid} {key.x}"[:200])
