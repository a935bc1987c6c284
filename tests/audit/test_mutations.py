"""Whatever is changed in a bundle is found, also by whoever writes the manifest anew to fit."""

from __future__ import annotations

import base64
import copy
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from audit.bundle import LOG, MANIFEST, PLAN
from audit.checkpoint import Because, Link, link_of, make_checkpoint, open_checkpoint
from audit.exhibit import Trusted
from audit.findings import Check
from audit.trail import attributes, kind_of
from audit.tree import leaf_hash, root
from audit.verify import verify
from models.canonical import canonical
from tests.audit.attacks import (
    BUNDLE,
    EVIDENCE,
    FILES,
    HISTORY,
    LEAN,
    LEAN_BUNDLE,
    LEAN_FILES,
    SIGNED_FILES,
    WHOLE,
    beside_evidence,
    first,
    flips,
    forged,
    report_of,
    told,
)
from tests.audit.exhibits import (
    SIGNER,
    Sample,
    of_history,
    sealed,
    without_entry,
)


def test_a_changed_bit_of_any_file_is_found_and_the_file_is_named() -> None:
    for path in sorted(FILES):
        for changed in flips(BUNDLE[path], 6 if path in LEAN_FILES else 1, path):
            bundle, sample = (LEAN_BUNDLE, LEAN) if path in LEAN_FILES else (BUNDLE, WHOLE)
            if path in EVIDENCE[2:]:
                continue
            found = report_of({**bundle, path: changed}, sample)
            [damaged] = [one for one in found.wrong if one.check is Check.BUNDLE]
            assert damaged.file == path
            assert found.wrong[0] == damaged


def test_a_changed_bit_of_the_manifest_is_found() -> None:
    """But for when the bundle was made, which nothing rests on, and the code, without which no history is replayed."""
    content = LEAN_BUNDLE[MANIFEST]
    free = (content.index(b'"code"'), content.index(b'"deployment"'), content.index(b'"made_at"'), len(content))
    after = content.index(b'"rollout"')
    found = 0
    for changed in flips(content, 60, "manifest"):
        at = next(at for at, (one, two) in enumerate(zip(changed, content, strict=True)) if one != two)
        if free[0] <= at < free[1] or free[2] <= at < after:
            continue
        report = report_of({**LEAN_BUNDLE, MANIFEST: changed}, LEAN)
        assert beside_evidence(report), changed[at - 20 : at + 20]
        found += 1
    assert found > 40


@pytest.mark.parametrize("path", SIGNED_FILES)
def test_a_changed_bit_of_what_is_signed_is_found_also_under_a_manifest_that_fits(path: str) -> None:
    files, sample = (LEAN_FILES, LEAN) if path in LEAN_FILES else (FILES, replace(WHOLE, histories=[]))
    files = {one: content for one, content in files.items() if not one.startswith("history/")}
    for changed in flips(files[path], 12 if sample is LEAN else 4, f"forged {path}"):
        assert beside_evidence(forged({**files, path: changed}, sample)), (path, changed)


def test_a_changed_bit_of_what_people_sent_is_found_in_the_history_too() -> None:
    """Those payloads of the history that the log tells of: requests and entries."""
    history = json.loads(FILES[HISTORY])
    draw = random.Random("payloads")
    places = []
    for at, event in enumerate(history["events"]):
        said = attributes(event)
        if kind_of(event) == "WORKFLOW_EXECUTION_SIGNALED" and b'"report_evidence"' not in json.dumps(said).encode():
            places.append(at)
    tried = 0
    for at in draw.sample(places, 12):
        changed = copy.deepcopy(history)
        [payload] = attributes(changed["events"][at])["input"]["payloads"]
        body = json.loads(base64.b64decode(payload["data"]))
        if not body.get("token"):
            continue  # what nobody signed changes nothing
        body["reason"] = body["reason"] + "!"
        payload["data"] = base64.b64encode(json.dumps(body).encode()).decode()
        report = forged({**FILES, HISTORY: json.dumps(changed).encode()})
        assert "differ in rationale" in told(report)
        assert "the token was signed for another rationale" in told(report)
        tried += 1
    assert tried > 3


def _changed(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return f"{value[:-1]}{'0' if value.endswith('Z') else 'x'}" if len(value) > 1 else "x"
        case list():
            return [*value, "x"]
        case dict():
            return {**value, "x": "x"}
        case _:
            return "x"


FIELDS = [
    (number, name)
    for number, line in enumerate(WHOLE.leaves, 1)
    for name, value in json.loads(line)["entry"].items()
    if value not in (None, {}, [])
]


def test_each_field_of_each_entry_is_under_the_tree() -> None:
    assert len(FIELDS) > 400
    for number, name in FIELDS:
        leaves = list(WHOLE.leaves)
        leaf = json.loads(leaves[number - 1])
        leaf["entry"][name] = _changed(leaf["entry"][name])
        leaves[number - 1] = canonical(leaf)
        content = b"".join(one + b"\n" for one in leaves)
        report = verify(sealed(LEAN, {**LEAN_FILES, LOG: content}), Trusted(log=LEAN.trusted.log), "another")
        assert {Check.LOG, Check.CHECKPOINTS} & {one.check for one in report.wrong}, (number, name)


@pytest.mark.parametrize("number", [1, 12, 30, 54])
def test_with_the_history_the_very_entry_is_named_that_was_changed(number: int) -> None:
    leaves = list(WHOLE.leaves)
    leaf = json.loads(leaves[number - 1])
    leaf["entry"]["message"] += " and more"
    leaves[number - 1] = canonical(leaf)
    found = told(forged({**FILES, LOG: b"".join(one + b"\n" for one in leaves)}))
    assert f"by the history it is entry {number}" in found
    assert "the log and the history say different things in message" in found


def test_a_deleted_a_moved_a_repeated_and_a_cut_off_entry_are_found() -> None:
    leaves = WHOLE.leaves
    attacks = {
        "deleted": [*leaves[:9], *leaves[10:]],
        "moved": [*leaves[:9], leaves[10], leaves[9], *leaves[11:]],
        "repeated": [*leaves[:10], leaves[9], *leaves[10:]],
    }
    for name, changed in attacks.items():
        found = forged({**FILES, LOG: b"".join(one + b"\n" for one in changed)})
        assert first(found).check is Check.LOG, name
        assert f"entry {11 if name == 'repeated' else 10}: an entry is missing, moved or there twice" in told(found)
    cut = forged({**FILES, LOG: b"".join(one + b"\n" for one in leaves[:-3])})
    assert "the log was cut off: it has fewer entries than this checkpoint covers (found 51, expected 54)" in told(cut)
    assert "the history tells of entries that the log does not have" in told(cut)
    torn = forged({**FILES, LOG: FILES[LOG][:-1]})
    assert "the last line does not end" in told(torn)


def test_entries_counted_anew_after_one_was_taken_out_are_not_those_that_were_signed() -> None:
    forged_log = replace(without_entry(WHOLE, 20), sizes=())
    files = {**forged_log.files(), **{path: FILES[path] for path in FILES if path.startswith("checkpoints/")}}
    report = report_of(sealed(forged_log, files), forged_log)
    assert "entries 19 to 36 are not those that were signed" in told(report)


def test_a_log_cut_off_together_with_its_last_checkpoints_is_found_by_the_history() -> None:
    cut = replace(WHOLE, leaves=WHOLE.leaves[:36], sizes=(18, 36))
    report = report_of(cut.bundle(), cut)
    assert "the history tells of entries that the log does not have" in told(report)


def test_a_forked_log_is_found_though_both_checkpoints_bear_a_good_signature() -> None:
    """The key signed another log of the same length, too."""
    other = copy.copy(WHOLE)
    leaf = json.loads(WHOLE.leaves[-1])
    leaf["entry"]["message"] = "Rollout completed otherwise"
    other.leaves = [*WHOLE.leaves[:-1], canonical(leaf)]
    theirs = other.checkpoints((18, 36, 54, 54))
    ours = WHOLE.checkpoints((18, 36, 54, 54))
    fork = {**ours, "checkpoints/000004.txt": theirs["checkpoints/000004.txt"]}
    found = told(forged({**_without(FILES, "checkpoints/"), **fork}))
    assert "one was taken out or exchanged, or the log was forked" in found
    # And where the fork was chained well:
    chained = _chained(ours, other)
    found = told(forged({**_without(FILES, "checkpoints/"), **chained}))
    assert "the log was forked: two signed checkpoints over 54 entries have other roots" in found


def _without(files: dict[str, bytes], prefix: str) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if not path.startswith(prefix)}


def _chained(ours: dict[str, bytes], other: Sample) -> dict[str, bytes]:
    third = open_checkpoint(ours["checkpoints/000003.txt"], (SIGNER.public,))
    link = Link(previous=third.digest, number=4, at=link_of(third).at, because=Because.EXPORT)
    note = make_checkpoint(third.origin, 54, root([leaf_hash(one) for one in other.leaves]), link, SIGNER)
    return {**ours, "checkpoints/000004.txt": note.encode()}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_checkpoint_taken_out_of_the_chain_is_found_also_where_the_rest_is_counted_anew(number: int) -> None:
    files = dict(FILES)
    del files[f"checkpoints/{number:06}.txt"]
    report = forged(files)
    if number == 3:  # the last one: nothing follows it, so its entries are covered by none
        assert "no checkpoint covers the newest" in report.gaps()[0].sentence
        return
    assert "a checkpoint is missing" in told(report)
    rest = sorted(path for path in files if path.startswith("checkpoints/"))
    counted = {f"checkpoints/{at:06}.txt": files[path] for at, path in enumerate(rest, 1)}
    assert "stands in another place" in told(forged({**_without(files, "checkpoints/"), **counted}))


def test_exchanged_removed_and_added_evidence_is_found() -> None:
    one, two, *_ = EVIDENCE
    swapped = forged({**FILES, one: FILES[two], two: FILES[one]})
    assert {finding.file for finding in swapped.wrong} >= {one, two}
    assert "the evidence is not what the log names by this digest" in told(swapped)
    assert "evidence that the log rests on is not in the bundle" in told(forged(_without(FILES, one)))
    added = f"evidence/{'0' * 64}.json"
    assert "nothing in the log names this evidence" in told(forged({**FILES, added: FILES[one]}))
    better = json.loads(FILES[EVIDENCE[0]])
    better["kind"] = "assessment" if better["kind"] == "snapshot" else "snapshot"
    assert forged({**FILES, EVIDENCE[0]: canonical(better)}).wrong


def test_an_exchanged_plan_is_found_by_the_log_the_signatures_and_the_history() -> None:
    plan = json.loads(FILES[PLAN])
    plan["approvals"]["prepare_to_pilot"]["roles"] = ["finance_owner"]
    found = forged({**FILES, PLAN: canonical(plan)})
    assert first(found).check is Check.PLAN
    assert "plan.json, entry 1: the log was opened for another plan" in first(found).sentence
    assert "the token was signed for another version of the plan" in told(found)
    assert "the run was started with another plan than the bundle's" in told(found)


def test_an_older_log_that_names_eight_digits_of_its_plan_still_finds_another_plan() -> None:
    sample = of_history("happy")
    plan = json.loads(sample.plan)
    plan["title"] = "Another title"
    report = verify(sealed(sample, {**sample.files(), PLAN: canonical(plan)}), sample.trusted, sample.version)
    assert "the log was opened for another plan" in report.wrong[0].sentence
