"""Bundles that nobody touched prove what they are said to prove, and what could not be proven is never passed over."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.bundle import LOG_TEXT, read_manifest
from audit.evidence import evidence_file, evidence_path
from audit.exhibit import Exhibit, Seen, Trusted
from audit.findings import Check, Gap, Report
from audit.history import check_exported
from audit.notes import NoteSigner, read_note
from audit.trail import attributes
from audit.tree import leaf_hash, root
from audit.verify import Replays, verify, with_replays
from models.base import digest_json
from models.canonical import canonical
from tests.audit.exhibits import SIGNER, Sample, chains, of_history, sealed, whole, with_event


def look(sample: Sample, trusted: Trusted | None = None) -> Report:
    return verify(sample.bundle(), trusted or sample.trusted, sample.version)


def gaps(report: Report) -> set[Gap]:
    return {one.gap for one in report.findings if one.gap}


def test_a_whole_rollout_is_proven_down_to_the_last_entry_signature_and_gate() -> None:
    sample = whole()
    report = look(sample)
    assert report.findings == ()
    count = len(sample.leaves)
    proven = report.proven
    assert (proven.entries, proven.covered, proven.checkpoints) == (count, count, 3)
    assert (proven.signatures, proven.gates, proven.histories) == (14, 3, 1)
    assert (proven.judged, proven.assessments) == (9, 9)
    assert proven.evidence == len(sample.evidence) > 20
    assert proven.requests > proven.signatures
    told = with_replays(report, Replays(version="1.0", done=1)).line
    assert f"{count} of {count} entries under 3 signed checkpoints" in told
    assert "1 of 1 history replayed with 1.0" in told
    assert "not proven" not in told


@pytest.mark.parametrize("name", sorted(chains()))
def test_nothing_is_read_into_what_a_rollout_of_any_path_wrote(name: str) -> None:
    """The rules are walked through with the logs of all paths, also of releases gone by: none of them is wrong. Nor is
    any gate open too early or on older evidence than the newest."""
    sample = of_history(name)
    report = look(sample)
    # Histories have no evidence and nothing that was kept: that is missed, and nothing else.
    assert {one.check for one in report.wrong} <= {Check.EVIDENCE, Check.RECORD}
    assert all("is not in the bundle" in one.what or "is missing" in one.what for one in report.wrong)
    assert gaps(report) <= {Gap.UNSIGNED, Gap.PLAN, Gap.VERDICTS}
    assert report.proven.covered == len(sample.leaves)


def test_a_closing_review_is_evidence_like_any_other() -> None:
    """Its digest is that of all it says."""
    review = {"ending": "completed", "summary": "as expected"}
    digest = digest_json(review)
    leaves = list(whole().leaves)
    leaf = json.loads(leaves[-1])
    leaf["entry"]["evidence_digest"] = digest
    leaves[-1] = canonical(leaf)
    content = evidence_file("review", review)
    sample = replace(whole(), leaves=leaves, histories=[])
    named = replace(sample, evidence={**sample.evidence, evidence_path(digest): content})
    assert not [one for one in look(named).wrong if one.check is Check.EVIDENCE]
    other = {**sample.evidence, evidence_path(digest): evidence_file("review", {**review, "summary": "better"})}
    assert "it was changed or exchanged" in look(replace(sample, evidence=other)).line


def test_a_history_that_the_log_named_by_its_digest_must_still_begin_with_what_was_named() -> None:
    run_id, history = whole().histories[0]
    digest = digest_json({"events": history["events"][:100]}).removeprefix("sha256:")
    exported = {"run_id": run_id, "events": 100, "sha256": digest, "runs": 1}
    files = whole().bundle()
    exhibit = Exhibit(files=files, manifest=read_manifest(files["manifest.json"]), trusted=whole().trusted)
    exhibit.entries = [whole().entries()[-1].model_copy(update={"detail": exported})]
    check_exported(exhibit, [(run_id, history["events"])])
    assert exhibit.findings == []
    later = [{**one, "eventTime": "2026-11-26T00:00:00Z"} for one in history["events"]]
    check_exported(exhibit, [(run_id, later)])
    assert "the first 100 events of run" in exhibit.findings[0].what
    assert exhibit.findings[0].gap is Gap.HISTORY


def test_entries_behind_the_newest_checkpoint_are_counted_and_not_passed_over() -> None:
    sample = replace(whole(), sizes=(20, 40))
    report = look(sample)
    assert report.wrong == ()
    assert gaps(report) == {Gap.UNCOVERED}
    [gap] = report.gaps()
    assert f"no checkpoint covers the newest {len(sample.leaves) - 40} of {len(sample.leaves)} entries" in gap.sentence
    assert report.gaps(frozenset({Gap.UNCOVERED})) == ()
    assert "40 of 54 entries" in report.line
    assert "not proven: uncovered" in report.line


def test_a_bundle_without_any_checkpoint_proves_no_entry() -> None:
    """Nothing of it is signed, so that no allowance of an auditor makes it a proof."""
    report = look(replace(whole(), sizes=()))
    assert "no signed checkpoint; without one nothing is proven" in report.line
    assert report.proven.covered == 0


def test_the_key_of_one_installation_does_not_sign_the_log_of_another() -> None:
    """Whoever keeps the keys of several would otherwise believe any of them about all."""
    other = NoteSigner("another-house", Ed25519PrivateKey.generate())
    files = whole().files()
    for path in [one for one in files if one.startswith("checkpoints/")]:
        files[path] = other.sign(read_note(files[path]).text).encode()
    del files["keys/log.txt"]
    both = Trusted(log=(SIGNER.public, other.public), decisions=whole().trusted.decisions)
    report = verify(sealed(whole(), files), both, whole().version)
    assert "for which the key of another-house does not sign" in report.line
    assert report.proven.covered == 0


def test_a_text_for_people_is_not_passed_over_because_another_release_is_said_to_have_written_it() -> None:
    """Whoever forges it names another release in the manifest, which nobody signs."""
    sample = replace(whole(), version="99.0")
    files = {**sample.files(), LOG_TEXT: b"# Decision log\n\nAll approved.\n"}
    report = verify(sealed(sample, files), sample.trusted, whole().version)
    assert gaps(report) == {Gap.TEXT}
    assert "decisions.md: the text for people says it in other words than this release" in report.gaps()[0].sentence
    assert gaps(verify(sample.bundle(), sample.trusted, whole().version)) == set()


def test_eight_digits_of_a_plan_are_told_of_where_no_signature_over_the_rest_was_verified() -> None:
    sample = whole()
    leaves = [json.loads(one) for one in sample.leaves]
    del leaves[0]["entry"]["detail"]["plan"]
    older = replace(sample, leaves=[canonical(one) for one in leaves], histories=[])
    assert Gap.PLAN not in gaps(look(older))
    assert Gap.PLAN in gaps(look(older, Trusted(log=(SIGNER.public,))))


def test_an_assessment_must_be_there_whatever_the_log_says_came_of_it() -> None:
    sample = whole()
    leaves = [json.loads(one) for one in sample.leaves]
    entry = next(one["entry"] for one in leaves if "verdicts" in one["entry"]["detail"])
    entry["outcome"] = "refused"
    without = {path: one for path, one in sample.evidence.items() if path != evidence_path(entry["evidence_digest"])}
    odd = replace(sample, leaves=[canonical(one) for one in leaves], histories=[], evidence=without)
    assert any("evidence that the log rests on is not in the bundle" in one.what for one in look(odd).wrong)


@pytest.mark.parametrize(
    ("verb", "actor", "kind", "counts", "hidden"),
    [
        ("confirm_ownership", "eve@example.com", "phase", "refusals", False),
        ("confirm_ownership", "eve@example.com", "refusal", "refusals", True),
        ("report_breach", "partner-watch", "assessment", "words", True),
        ("report_breach", "partner-watch", "phase", "words", False),
        ("report_breach", "eve@example.com", "assessment", "words", False),
        ("stop", "partner-watch", "assessment", "words", False),
    ],
)
def test_only_an_entry_of_refusals_or_of_words_answers_for_more_than_one_request(
    verb: str, actor: str, kind: str, counts: str, hidden: bool
) -> None:
    """Requests beyond what a log can take are refused together, and words of the watch are heard together; no other
    entry may make one disappear, and words are the watch's alone."""
    sample = whole()
    event = next(
        one for one in sample.histories[0][1]["events"] if attributes(one).get("signalName") == "confirm_ownership"
    )
    more = json.loads(json.dumps(event))
    attributes(more)["signalName"] = verb
    [payload] = attributes(more)["input"]["payloads"]
    body = json.loads(base64.b64decode(payload["data"])) | {"request_id": "another-request", "actor": actor}
    payload["data"] = base64.b64encode(json.dumps(body).encode()).decode()
    asked = with_event(sample, more, 400)
    leaves = [json.loads(one) for one in asked.leaves]
    leaves[-1]["entry"] |= {"kind": kind, "detail": {counts: 1}}
    report = look(replace(asked, leaves=[canonical(one) for one in leaves]))
    found = any(f"by {actor} of which the log tells nothing" in one.what for one in report.wrong)
    assert found is not hidden


def test_without_a_history_the_requests_are_said_to_be_unproven() -> None:
    report = look(replace(whole(), histories=[]))
    assert report.wrong == ()
    assert gaps(report) == {Gap.HISTORY}
    assert report.proven.requests == 0


def test_where_the_first_run_is_past_retention_that_is_said() -> None:
    sample = of_history("continue_as_new_1")
    report = look(replace(sample, histories=sample.histories[1:]))
    assert Gap.HISTORY in gaps(report)
    assert not [one for one in report.wrong if one.check is Check.HISTORY]


def test_where_a_run_in_the_middle_is_missing_that_is_wrong() -> None:
    sample = of_history("continue_as_new_1")
    report = look(replace(sample, histories=[sample.histories[0], *sample.histories[2:]]))
    assert any("before it is missing" in one.what for one in report.wrong)


def test_without_a_pinned_key_of_decisions_no_signature_counts_as_verified() -> None:
    report = look(whole(), Trusted(log=(SIGNER.public,)))
    assert gaps(report) == {Gap.DECISION_KEYS}
    assert report.proven.signatures == 0


def test_without_a_pinned_key_of_checkpoints_nothing_is_proven_whatever_the_bundle_brings() -> None:
    report = look(whole(), Trusted(decisions=whole().trusted.decisions))
    assert any("no key of checkpoints is pinned" in one.what for one in report.wrong)


def test_a_log_that_was_cut_off_or_written_anew_is_found_by_a_checkpoint_seen_elsewhere() -> None:
    """Whoever has the key of the log and the database can bring all of it into order again, but for what was mailed."""
    sample = whole()
    hashes = [leaf_hash(one) for one in sample.leaves]
    size = len(hashes) - 3
    good = Seen(size=size, root=root(hashes[:size]))
    longer = Seen(size=size + 10, root=bytes(32))
    other = Seen(size=size, root=root([*hashes[: size - 1], hashes[0]]))

    def seen(*given: Seen) -> Report:
        return look(sample, sample.trusted.model_copy(update={"seen": given}))

    assert (seen(good).findings, seen(good).proven.seen) == ((), 1)
    assert "1 of them seen elsewhere" in seen(good).line
    assert "cut off: a checkpoint over more entries" in seen(good, longer).line
    assert "another log than the one" in seen(good, other).line
    assert seen(other).proven.seen == 0


def test_keys_inside_the_bundle_are_trusted_by_nobody() -> None:
    """Whoever forges a log signs it with a key of their own, and puts that in the bundle."""
    other = NoteSigner(SIGNER.public.name, Ed25519PrivateKey.generate())
    report = look(whole(), Trusted(log=(other.public,), decisions=whole().trusted.decisions))
    told = [one.sentence for one in report.wrong]
    assert any("no key that is trusted has signed the note" in one for one in told)
    assert any("brings a key of checkpoints that is not pinned" in one for one in told)
    assert report.proven.covered == 0


def test_an_unsigned_rollout_is_never_said_to_prove_who_decided() -> None:
    report = look(of_history("happy"))
    assert {Gap.UNSIGNED, Gap.PLAN} <= gaps(report)


def test_a_history_that_does_not_replay_and_one_that_was_not_replayed_are_told_apart() -> None:
    report = look(whole())
    broken = with_replays(report, Replays(version="1.0", problems={"history/1-x.json": "NondeterminismError: no"}))
    assert "history/1-x.json: the history does not replay: NondeterminismError" in broken.line
    other = with_replays(report, Replays(version="1.0", why_not="the history was not replayed: another release"))
    assert (other.wrong, gaps(other)) == ((), {Gap.REPLAY})
    assert "not proven: replay" in other.line
