"""The letters of a bundle: each as the log names it, none missing, none beside them; what they quote is this log."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from audit.bundle import LETTERS, BundleError, json_of
from audit.exhibit import Exhibit
from audit.findings import Check, Gap
from audit.letters import ELSEWHERE, Fault, held, names_of, unquoted
from audit.tree import Edge, leaf_hash
from models.canonical import canonical
from models.letter import OutboxLetter


def letters_file(letters: Iterable[OutboxLetter]) -> bytes:
    """Letters as a bundle has them, one a line."""
    return b"".join(canonical(one.model_dump(mode="json")) + b"\n" for one in letters)


def check_letters(exhibit: Exhibit) -> None:
    """Hold the letters against the log. A bundle of a release without them has none, and its log names none."""
    manifest = exhibit.manifest
    try:
        names = names_of(manifest.rollout, manifest.chain, exhibit.entries)
    except ValueError as problem:
        exhibit.wrong(Check.LETTERS, f"the log does not say which letters it names: {_first(problem)}")
        return
    if LETTERS not in exhibit.files:
        if names:
            told = f"the log names {_many(len(names), 'notice')}, and the bundle has no letters"
            exhibit.wrong(Check.LETTERS, told, file=LETTERS)
        return
    letters = _read(exhibit)
    if letters is None:
        return
    found = held(exhibit.plan, manifest.rollout, manifest.chain, exhibit.entries, letters)
    lines = {(one.notice, one.contact): number for number, one in enumerate(letters, 1)}
    for fault in found.faults:
        _tell(exhibit, fault, lines)
    _check_quoted(exhibit, letters)
    exhibit.counts["letters"] = found.good
    if found.unnamed:
        beside = sum(one.kind in ELSEWHERE for one in found.unnamed)
        told = f"the log does not name {_many(len(found.unnamed), 'letter')}: {beside} of the watch or the sweep, the "
        told += "others of before the log named any"
        exhibit.unproven(Check.LETTERS, Gap.LETTERS, told, file=LETTERS)


def _read(exhibit: Exhibit) -> list[OutboxLetter] | None:
    """The letters; None where they cannot be read, of which the first line that cannot is told."""
    content = exhibit.files[LETTERS]
    lines = content.split(b"\n")
    if lines.pop():
        exhibit.wrong(Check.LETTERS, "the last line does not end: letters were cut off", file=LETTERS)
        return None
    found: list[OutboxLetter] = []
    known: set[tuple[str, str]] = set()
    for number, line in enumerate(lines, 1):
        try:
            said = json_of({LETTERS: line}, LETTERS)
            letter = OutboxLetter.model_validate_json(line)
            if canonical(said) != line or canonical(letter.model_dump(mode="json")) != line:
                raise ValueError("it is not written canonically: something in it can be read in two ways")
        except (BundleError, ValueError) as problem:
            told = problem.problem if isinstance(problem, BundleError) else _first(problem)
            exhibit.wrong(Check.LETTERS, f"line {number} is no letter: {told}", file=LETTERS)
            return None
        if (letter.notice, letter.contact) in known:
            exhibit.wrong(Check.LETTERS, f"line {number} is a letter that is there already", file=LETTERS)
            return None
        known.add((letter.notice, letter.contact))
        found.append(letter)
    return found


def _tell(exhibit: Exhibit, fault: Fault, lines: dict[tuple[str, str], int]) -> None:
    whom = f" to {fault.contact[:200]!r}" if fault.contact else ""
    line = lines.get((fault.notice, fault.contact or ""))
    place = f"line {line}: " if line else ""
    named = fault.notice[-150:]
    exhibit.wrong(
        Check.LETTERS,
        f"{place}{fault.what} ({named}{whom})",
        file=LETTERS,
        entry=fault.entry,
        found=fault.found,
        expected=fault.expected,
    )


def _check_quoted(exhibit: Exhibit, letters: Sequence[OutboxLetter]) -> None:
    """The checkpoints that letters quote are of this log: whoever has kept one can tell by it."""
    quoting: dict[int, list[tuple[int, OutboxLetter, str]]] = {}
    for number, letter in enumerate(letters, 1):
        if letter.about.get("log") is None:
            continue
        log = letter.about["log"]
        if unquoted(letter) is None or type(log["size"]) is not int:
            told = f"line {number}: the letter does not quote the checkpoint that programs were told of"
            exhibit.wrong(Check.LETTERS, told, file=LETTERS)
            continue
        _, size, root, *_ = log["checkpoint"].split("\n", 3)
        told_root = root if size == str(log["size"]) else f"a checkpoint over {size[:20]} entries"
        quoting.setdefault(log["size"], []).append((number, letter, told_root))
    edge = Edge()
    for size in sorted(quoting):
        there = 0 < size <= len(exhibit.leaves)
        if there:
            edge = edge.grown(leaf_hash(one) for one in exhibit.leaves[edge.size : size])
        root = base64.b64encode(edge.root()).decode() if there else None
        for number, _, said in quoting[size]:
            if said != root:
                told = f"line {number}: the letter quotes a checkpoint over {size} entries that is not of this log"
                exhibit.wrong(Check.LETTERS, told, file=LETTERS, found=said[:100], expected=root)


def _first(problem: ValueError) -> str:
    if not isinstance(problem, ValidationError):
        return str(problem)[:200]
    first = problem.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg'][:200]}"


def _many(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
