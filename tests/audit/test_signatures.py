"""Who has the key of the log and not those of decisions: what they make of other people's signatures is found, also
where the history is past retention and no request can be held against its entry."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from audit.findings import Check, Gap
from audit.verify import verify
from models.canonical import canonical
from tests.audit.exhibits import Sample, chains, of_history, whole
from tests.audit.test_gates import applied

Entry = dict[str, Any]
WITHOUT = replace(whole(), histories=[])


def found_in(sample: Sample) -> list[str]:
    """What is wrong with signatures and gates of a log that is signed well, whose history an auditor does without."""
    report = verify(sample.bundle(), sample.trusted, sample.version)
    assert {one.gap for one in report.findings} - {None} <= {Gap.HISTORY, Gap.VERDICTS}
    return [one.sentence for one in report.wrong if one.check in (Check.SIGNATURES, Check.GATES)]


def entry_of(sample: Sample, is_it: Callable[[Entry], bool]) -> Entry:
    return next(entry for one in sample.leaves if is_it(entry := json.loads(one)["entry"]))


def with_entry(sample: Sample, entry: Entry, after: int) -> Sample:
    """The same log with one more entry behind the first so many, the others counted anew."""
    leaves = [json.loads(one) for one in sample.leaves]
    leaves.insert(after, {**leaves[after - 1], "entry": entry})
    return counted(sample, leaves)


def counted(sample: Sample, leaves: Sequence[Entry]) -> Sample:
    for number, one in enumerate(leaves, 1):
        one["sequence"] = one["entry"]["sequence"] = number
    return replace(sample, leaves=[canonical(one) for one in leaves], sizes=(len(leaves),))


def with_changes(sample: Sample, sequence: int, **changes: Any) -> Sample:
    leaves = [json.loads(one) for one in sample.leaves]
    leaves[sequence - 1]["entry"] |= changes
    return counted(sample, leaves)


def unsigned(entry: Entry, **changes: Any) -> Entry:
    return {name: one for name, one in entry.items() if name not in ("token", "signed_by")} | changes


@pytest.mark.parametrize("name", sorted(name for name in chains() if "signed" in name))
def test_without_its_history_nothing_is_read_into_the_signatures_of_any_path(name: str) -> None:
    sample = replace(of_history(name), histories=[])
    report = verify(sample.bundle(), sample.trusted, "another")
    assert [one.sentence for one in report.wrong if one.check in (Check.SIGNATURES, Check.GATES)] == []


def test_a_decision_without_a_request_and_a_signature_is_not_borne_out_by_that_of_the_start() -> None:
    approval = entry_of(WITHOUT, applied("decide"))
    leaves = [json.loads(one) for one in WITHOUT.leaves]
    leaves[approval["sequence"] - 1]["entry"] = unsigned(approval, request_id=None)
    found = found_in(counted(WITHOUT, leaves))
    assert f"entry {approval['sequence']}: the log applied a decide that nobody signed" in found[0]


def test_a_decision_is_not_borne_out_by_a_signature_for_something_else() -> None:
    """The request of an approval bears the id of one that its owner did sign: that they confirmed ownership."""
    approval, confirmed = entry_of(WITHOUT, applied("decide")), entry_of(WITHOUT, applied("confirm_ownership"))
    leaves = [json.loads(one) for one in WITHOUT.leaves]
    leaves[approval["sequence"] - 1]["entry"] = unsigned(approval, request_id=confirmed["request_id"])
    found = found_in(counted(WITHOUT, leaves))
    assert f"entry {approval['sequence']}: the log applied a decide that nobody signed" in found[0]


def test_a_signature_that_was_used_is_not_used_once_more() -> None:
    review = entry_of(WITHOUT, applied("review"))
    found = found_in(with_entry(WITHOUT, dict(review), review["sequence"] + 2))
    told = f"entry {review['sequence'] + 3}: the signature was used before, for entry {review['sequence']}"
    assert told in found[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"gate": "wave_2"}, "the token was signed for another gate"),
        ({"evidence_digest": f"sha256:{'0' * 64}"}, "the token was signed for other evidence"),
        ({"message": "Sam Sponsor rejected prepare_to_pilot"}, "the token was signed for another decision"),
        ({"role": "finance_owner"}, "the log names another role than the signature does"),
    ],
)
def test_what_a_signature_says_of_a_decision_is_held_against_the_log_itself(changes: Entry, told: str) -> None:
    approval = entry_of(WITHOUT, applied("decide"))
    found = found_in(with_changes(WITHOUT, approval["sequence"], **changes))
    assert f"entry {approval['sequence']}: " in found[0]
    assert told in found[0]


def test_nobody_resumes_by_breaking_the_glass() -> None:
    """In whatever role the log says that it was, and whoever signed it."""
    sample = replace(of_history("breach_pause_resume"), histories=[])
    resume = entry_of(sample, applied("resume"))
    found = found_in_unsigned(with_changes(sample, resume["sequence"], actor="eve@example.com", role="break-glass"))
    assert "eve@example.com broke the glass, which lets nobody resume" in found[0]


def test_who_broke_the_glass_is_told_by_a_signature_also_where_decisions_are_not_signed() -> None:
    sample = replace(of_history("stopped"), histories=[])
    stop = entry_of(sample, applied("stop"))
    found = found_in_unsigned(with_changes(sample, stop["sequence"], actor="eve@example.com", role="break-glass"))
    assert "a stop broke the glass, and no signature tells who it was" in found[0]


def found_in_unsigned(sample: Sample) -> list[str]:
    report = verify(sample.bundle(), sample.trusted, sample.version)
    return [one.sentence for one in report.wrong if one.check is Check.GATES]
