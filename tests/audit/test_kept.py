"""The record that a rollout kept when it ended is in its bundle as the log names it, or nothing is proven."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import pytest

from audit.bundle import allowed, unzipped, zipped
from audit.exhibit import read_plan
from audit.findings import Check, Report
from audit.kept import FOLDER
from models.canonical import canonical
from models.kept import DRAFT, INDEX, sha256_of
from models.learning import Readings
from models.log import EntryKind
from record.keeping import left_behind
from tests.audit.attacks import LEAN, flips, forged
from tests.audit.exhibits import Sample, sealed, whole

Files = dict[str, bytes]


def ending(sample: Sample, detail: dict[str, object] | None = None) -> Sample:
    """The sample as if its log had ended with what it kept; made of the log before."""
    plan, log = read_plan(sample.plan), sample.entries()
    left = left_behind(plan, log, Readings())
    entry = log[-1].model_copy(
        update={
            "sequence": len(log) + 1,
            "kind": EntryKind.RECORD,
            "message": "Decision record kept",
            "detail": left.result.model_dump(mode="json", exclude_none=True) if detail is None else detail,
        }
    )
    leaf = json.loads(sample.leaves[-1])
    leaf |= {"sequence": entry.sequence, "entry": entry.model_dump(mode="json")}
    kept = {FOLDER + path: content for path, content in left.files.items()}
    count = len(log) + 1
    return replace(
        sample,
        leaves=[*sample.leaves, canonical(leaf)],
        evidence={**sample.evidence, **kept},
        sizes=(count // 2, count),
    )


@cache
def kept() -> Sample:
    """The lean sample: without evidence and history, which take time to look at and are missed in every report."""
    return ending(LEAN)


def of_the_record(report: Report) -> list[tuple[str | None, str]]:
    return [(one.file, one.what) for one in report.wrong if one.check is Check.RECORD]


def look(change: Callable[[Files], object] = lambda files: None) -> list[tuple[str | None, str]]:
    """What is wrong with the record where the files were changed, and the manifest written anew to fit."""
    files = kept().files()
    change(files)
    return of_the_record(forged(files, kept()))


DOCUMENTS = ("en/record.md", "en/record.html", "ja/record.md", "ja/record.html")
GATE = "en/gates/01-prepare-to-pilot.md"


def _put(path: str, content: bytes, files: Files) -> None:
    files[path] = content


def test_what_was_kept_is_proven_and_counted() -> None:
    report = forged(kept().files(), kept())
    assert of_the_record(report) == []
    assert report.proven.kept == len([one for one in kept().evidence if one.startswith(FOLDER)]) > 8
    assert {FOLDER + one for one in (*DOCUMENTS, GATE, INDEX)} <= set(kept().evidence)


def test_every_kept_file_has_a_path_that_a_bundle_may_have_and_comes_out_of_an_archive() -> None:
    assert all(map(allowed, kept().evidence))
    assert unzipped(zipped(kept().bundle())) == kept().bundle()


@pytest.mark.parametrize("path", [*DOCUMENTS, GATE, INDEX])
def test_a_changed_bit_of_what_was_kept_is_found_and_the_file_is_named(path: str) -> None:
    for changed in flips(kept().evidence[FOLDER + path], 6, path):
        found = look(partial(_put, FOLDER + path, changed))
        assert found == [(FOLDER + path, "it is not what was kept: changed or exchanged")]


@pytest.mark.parametrize("path", [*DOCUMENTS, GATE, INDEX])
def test_a_missing_file_is_found_and_named(path: str) -> None:
    assert look(lambda files: files.pop(FOLDER + path)) == [(FOLDER + path, "it was kept and is missing")]


def test_a_changed_file_under_a_list_that_was_made_to_fit_is_found() -> None:
    def change(files: Files) -> None:
        files[FOLDER + GATE] += b"\nNobody objected.\n"
        listed = json.loads(files[FOLDER + INDEX])
        listed[GATE] = sha256_of(files[FOLDER + GATE])
        files[FOLDER + INDEX] = canonical(listed)

    assert look(change) == [(FOLDER + INDEX, "it is not what was kept: changed or exchanged")]


def test_two_files_that_changed_places_are_both_named() -> None:
    one, two = FOLDER + "en/record.md", FOLDER + "ja/record.md"

    def change(files: Files) -> None:
        files[one], files[two] = files[two], files[one]

    assert [file for file, _ in look(change)] == [one, two]


def test_the_record_of_another_rollout_is_not_this_one_s() -> None:
    other = left_behind(read_plan(whole().plan), whole().entries()[:30], Readings())

    def change(files: Files) -> None:
        for path in [path for path in files if path.startswith(FOLDER)]:
            del files[path]
        files.update({FOLDER + path: content for path, content in other.files.items()})

    found = {file for file, _ in look(change)}
    assert {FOLDER + one for one in (INDEX, *DOCUMENTS)} <= found


def test_a_file_that_nothing_names_is_found_beside_what_was_kept_and_without_it() -> None:
    more = FOLDER + "en/gates/09-never-held.md"
    assert look(lambda files: files.update({more: b"# Approved"})) == [(more, "nothing in the log names this file")]
    older = forged({**LEAN.files(), FOLDER + DRAFT: b"id: mine"}, LEAN)
    assert of_the_record(older) == [(FOLDER + DRAFT, "nothing in the log names this file")]


def test_a_log_of_a_rollout_from_before_names_nothing_and_is_proven_without() -> None:
    report = forged(LEAN.files(), LEAN)
    assert of_the_record(report) == []
    assert report.proven.kept == 0
    assert "record that was kept" not in report.line


def test_an_entry_that_names_what_cannot_be_read_proves_nothing() -> None:
    sample = ending(LEAN, {"entries": 3, "files": "not a digest", "documents": {}})
    report = forged(sample.files(), sample)
    assert of_the_record(report)[0] == (None, "this release cannot read what the entry names")


def test_an_entry_that_names_a_record_of_what_came_later_is_wrong() -> None:
    detail = json.loads(kept().leaves[-1])["entry"]["detail"]
    sample = ending(LEAN, {**detail, "entries": len(LEAN.leaves) + 1})
    found = of_the_record(forged(sample.files(), sample))
    assert found == [(None, "it names a record of entries that were not written yet")]


def test_a_list_that_is_none_though_the_log_names_it_is_no_crash() -> None:
    for index in (b"[]", b"nothing", b"{}"):
        detail = json.loads(kept().leaves[-1])["entry"]["detail"]
        sample = ending(LEAN, {**detail, "files": sha256_of(index)})
        files = {**sample.files(), FOLDER + INDEX: index}
        found = dict(of_the_record(forged(files, sample)))
        assert found[FOLDER + GATE] == "nothing in the log names this file"


def test_the_whole_bundle_says_in_its_line_that_the_record_is_the_one_that_was_kept() -> None:
    sample = ending(replace(whole(), histories=[]))
    report = forged(sample.files(), sample)
    assert report.wrong == ()
    assert f"{report.proven.kept} files of the record that was kept" in report.line
    assert sealed(sample, sample.files()) == sample.bundle()
