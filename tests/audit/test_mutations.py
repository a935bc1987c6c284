"""Whatever is changed in a bundle is found, also by whoever writes the manifest anew to fit; and nothing crashes."""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from audit.bundle import LOG, MANIFEST, PLAN
from audit.exhibit import Trusted
from audit.findings import Check, Finding, Report
from audit.trail import attributes, kind_of
from audit.verify import verify
from models.canonical import canonical
from models.log import LogEntry
from tests.audit.exhibits import (
    Sample,
    of_history,
    resigned,
    rewritten,
    sealed,
    whole,
    with_event,
    without_entry,
    without_event,
)
from tests.plans import ISSUER
from tests.signing import Pen

WHOLE = whole()
FILES = WHOLE.files()
BUNDLE = WHOLE.bundle()

LEAN = replace(WHOLE, histories=[], evidence={})
"""Without what takes time to look at: that it is not there is told, and nothing else is wrong."""
LEAN_FILES, LEAN_BUNDLE = LEAN.files(), LEAN.bundle()


def report_of(bundle: dict[str, bytes], sample: Sample = WHOLE) -> Report:
    report = verify(bundle, sample.trusted, sample.version)
    unforeseen = [one for one in report.findings if "it cannot be examined" in one.what]
    assert not unforeseen, unforeseen
    return report


def beside_evidence(report: Report) -> list[Finding]:
    """What is wrong in a lean bundle, but for the evidence that it does not have."""
    return [one for one in report.wrong if "is not in the bundle" not in one.what]


def first(report: Report) -> Finding:
    assert report.wrong, "nothing was found"
    return report.wrong[0]


def forged(files: dict[str, bytes], sample: Sample = WHOLE) -> Report:
    """What is found where the manifest was written anew to fit."""
    return report_of(sealed(sample, files), sample)


def told(report: Report) -> str:
    return " | ".join(one.sentence for one in report.wrong)


def flips(content: bytes, count: int, seed: str) -> Iterator[bytes]:
    """The content with one bit changed, at so many places."""
    draw = random.Random(seed)
    for at in sorted(draw.sample(range(len(content)), min(count, len(content)))):
        changed = bytearray(content)
        changed[at] ^= 1 << draw.randrange(8)
        yield bytes(changed)


EVIDENCE = sorted(path for path in FILES if path.startswith("evidence/"))
SIGNED_FILES = [PLAN, LOG, "decisions.md", "keys/log.txt", "keys/decisions.json"]
SIGNED_FILES += [*sorted(path for path in FILES if path.startswith("checkpoints/")), EVIDENCE[0], EVIDENCE[1]]
HISTORY = next(path for path in FILES if path.startswith("history/"))


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
    from audit.checkpoint import Because, Link, link_of, make_checkpoint, open_checkpoint
    from audit.tree import leaf_hash, root
    from tests.audit.exhibits import SIGNER

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


# From here on the forger has the keys of checkpoints and of decisions: what is signed is signed well, and wrong.

PEN = Pen("forger")
OURS = resigned(WHOLE, PEN)


def _approval(sample: Sample) -> LogEntry:
    return next(one for one in sample.entries() if one.verb == "decide" and one.outcome == "applied")


def _claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


def test_a_rollout_signed_with_other_pinned_keys_is_proven_as_well() -> None:
    assert report_of(OURS.bundle(), OURS).findings == ()


def test_an_approval_with_a_good_signature_of_the_wrong_person_is_found() -> None:
    entry = _approval(OURS)
    assert entry.token is not None
    claims = _claims(entry.token) | {"sub": "sub-fin.finance", "name": "Fin Finance", "role": "finance_owner"}
    report = report_of(*_both(rewritten(OURS, {entry.token: PEN.sign(claims)})))
    found = next(one for one in report.wrong if one.check is Check.SIGNATURES)
    assert (found.entry, found.found) == (entry.sequence, "sub-fin.finance")
    assert f"signed by Fin Finance, but in the name of {entry.actor}" in found.what


def test_an_approval_by_somebody_who_is_not_asked_at_the_gate_is_found_though_all_else_is_theirs() -> None:
    entry = _approval(OURS)
    assert entry.token is not None
    _, command = _asked(entry.request_id)
    moved = {**command, "actor": "fin.finance@example.com"}
    claims = _claims(entry.token) | {"sub": "sub-fin.finance", "name": "Fin Finance", "role": "finance_owner"}
    claims["request"] = _digest(moved)
    token = PEN.sign(claims)
    forged_one = rewritten(OURS, {entry.token: token})
    forged_one = _with_actor(forged_one, entry, "fin.finance@example.com", "finance_owner", "Fin Finance")
    report = report_of(*_both(forged_one))
    assert [one.check for one in report.wrong][:1] == [Check.GATES]
    assert f"entry {entry.sequence}: Fin Finance is finance_owner, and decided at prepare_to_pilot" in told(report)


def test_a_gate_that_was_passed_without_its_approval_is_found_though_log_and_history_agree() -> None:
    entry = _approval(OURS)
    request = entry.request_id
    sample = without_event(
        without_entry(OURS, entry.sequence),
        lambda event: request is not None and request in _body(event),
    )
    report = report_of(*_both(sample))
    assert first(report).check is Check.GATES
    assert "gate prepare_to_pilot was passed without agreement: it needs 1 of sponsor; nobody approved" in told(report)


def test_an_applied_decision_without_a_signature_is_found_where_decisions_are_signed() -> None:
    entry = _approval(OURS)
    leaves = list(OURS.leaves)
    leaf = json.loads(leaves[entry.sequence - 1])
    del leaf["entry"]["token"], leaf["entry"]["signed_by"]
    leaves[entry.sequence - 1] = canonical(leaf)
    report = report_of(*_both(replace(OURS, leaves=leaves)))
    assert f"entry {entry.sequence}: the log applied a decide that nobody signed" in told(report)


def test_a_request_that_the_history_has_too_many_or_that_it_lacks_is_found() -> None:
    entry = _approval(WHOLE)
    missing = without_event(WHOLE, lambda event: (entry.request_id or "") in _body(event))
    found = told(report_of(*_both(missing)))
    assert f"entry {entry.sequence}: a decide was applied, and the history has no request for it" in found
    event = next(
        one
        for one in WHOLE.histories[0][1]["events"]
        if kind_of(one) == "WORKFLOW_EXECUTION_SIGNALED" and (entry.request_id or "") in _body(one)
    )
    more = json.loads(json.dumps(event))
    [payload] = attributes(more)["input"]["payloads"]
    body = json.loads(base64.b64decode(payload["data"])) | {"request_id": "another-request"}
    payload["data"] = base64.b64encode(json.dumps(body).encode()).decode()
    found = told(report_of(*_both(with_event(WHOLE, more, 400))))
    assert "the history has a decide by sam.sponsor@example.com of which the log tells nothing" in found


def test_an_entry_that_the_workflow_never_wrote_is_found_by_the_history() -> None:
    last = json.loads(WHOLE.leaves[-1])
    last["sequence"] = last["entry"]["sequence"] = 55
    more = replace(WHOLE, leaves=[*WHOLE.leaves, canonical(last)], sizes=(20, 55))
    found = told(report_of(*_both(more)))
    assert "entry 55: the log has an entry that the workflow never wrote, by its history" in found


def test_a_decision_by_whoever_declared_a_conflict_is_found() -> None:
    entry = _approval(OURS)
    leaves = list(OURS.leaves)
    leaf = json.loads(leaves[entry.sequence - 1])
    leaf["entry"]["detail"]["declared_conflict"] = "my cousin is a partner"
    leaves[entry.sequence - 1] = canonical(leaf)
    found = told(report_of(*_both(replace(OURS, leaves=leaves))))
    assert "must not have: a declared conflict of interest bars the decision: my cousin is a partner" in found


def _both(sample: Sample) -> tuple[dict[str, bytes], Sample]:
    return sample.bundle(), sample


def _body(event: dict[str, Any]) -> str:
    sent = attributes(event).get("input", {}).get("payloads", []) if "SIGNALED" in kind_of(event) else []
    return "".join(base64.b64decode(one["data"]).decode() for one in sent)


def _asked(request_id: str | None) -> tuple[str, dict[str, Any]]:
    for event in OURS.histories[0][1]["events"]:
        if request_id and request_id in _body(event):
            return attributes(event)["signalName"], json.loads(_body(event))
    raise AssertionError("no such request")


def _digest(body: dict[str, Any]) -> str:
    from models.claims import request_digest
    from models.command import Decide

    return request_digest(Decide.model_validate_json(json.dumps(body)))


def _with_actor(sample: Sample, entry: LogEntry, actor: str, role: str, name: str) -> Sample:
    """The same with a request, and the entry of it, by another owner; both tell of it alike."""
    changes = {
        "actor": actor,
        "role": role,
        "signed_by": {"issuer": ISSUER, "subject": "sub-fin.finance", "name": name},
    }
    leaves = list(sample.leaves)
    leaf = json.loads(leaves[entry.sequence - 1])
    leaf["entry"] |= changes
    leaves[entry.sequence - 1] = canonical(leaf)
    run_id, history = sample.histories[0]
    history = copy.deepcopy(history)
    for event in history["events"]:
        for payload in attributes(event).get("input", {}).get("payloads", []) if "input" in attributes(event) else []:
            body = json.loads(base64.b64decode(payload["data"]))
            if not isinstance(body, dict):
                continue
            if body.get("request_id") == entry.request_id:
                body["actor"] = actor
            for part in (body, body.get("record") or {}):
                for one in part.get("entries") or ():
                    if isinstance(one, dict) and one.get("sequence") == entry.sequence:
                        one |= changes
            payload["data"] = base64.b64encode(json.dumps(body).encode()).decode()
    return replace(sample, leaves=leaves, histories=[(run_id, history)])


# Garbage.

JUNK: tuple[Any, ...] = (None, True, -1, 10**30, 1e308, "", "\ud800", "x" * 5000, [], [[]], {}, {"a": {"b": []}})


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _places(one, (*path, name))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _places(one, (*path, at))


def _put(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    found = copy.copy(value)
    found[path[0]] = _put(found[path[0]], path[1:], junk)
    return found


@pytest.mark.parametrize("path", [PLAN, MANIFEST, "keys/decisions.json", EVIDENCE[0], EVIDENCE[1], HISTORY])
def test_no_junk_in_any_place_of_a_file_crashes_the_verification(path: str) -> None:
    draw = random.Random(f"junk {path}")
    value = json.loads(BUNDLE[path])
    places = list(_places(value))
    for place in draw.sample(places, min(len(places), 20 if path == HISTORY else 40)):
        content = json.dumps(_put(value, place, draw.choice(JUNK))).encode()
        if path == MANIFEST:
            assert beside_evidence(report_of({**LEAN_BUNDLE, MANIFEST: content}, LEAN))
        else:
            report = forged({**LEAN_FILES, path: content}, LEAN)
            assert beside_evidence(report) or path == HISTORY


def test_no_junk_in_an_entry_crashes_the_verification() -> None:
    draw = random.Random("entries")
    for _ in range(50):
        number = draw.randrange(len(WHOLE.leaves))
        leaf = json.loads(WHOLE.leaves[number])
        content = json.dumps(_put(leaf, draw.choice(list(_places(leaf))), draw.choice(JUNK))).encode()
        leaves = [*WHOLE.leaves[:number], content, *WHOLE.leaves[number + 1 :]]
        assert beside_evidence(forged({**LEAN_FILES, LOG: b"\n".join(leaves) + b"\n"}, LEAN))


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", b"NaN", b'{"a":1,"a":2}']
)
def test_no_file_can_be_replaced_by_garbage_that_crashes_it(content: bytes) -> None:
    for path in [*SIGNED_FILES, HISTORY]:
        assert beside_evidence(forged({**LEAN_FILES, path: content}, LEAN)) or path == "keys/log.txt", path
    assert report_of({**LEAN_BUNDLE, MANIFEST: content}, LEAN).wrong
    assert report_of({}).wrong
