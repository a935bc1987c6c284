"""What evidence does not bear out is found, however well all else was made to fit; what cannot be judged is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.evidence import evidence_path
from audit.findings import Check, Finding, Gap, Report
from audit.judging import DECIDES
from audit.verify import verify
from judgement.values import group_value
from models.canonical import canonical
from models.evidence import PartnerReading
from models.metric import MetricName
from tests.audit.attacks import places, put, report_of, told
from tests.audit.exhibits import Sample
from tests.audit.insiders import (
    INSIDE,
    Body,
    assessments,
    body_of,
    each_entry,
    entries_in,
    with_assessment,
    with_snapshot,
)

SLA = MetricName.LEAD_FOLLOW_UP_SLA
LEAN = replace(INSIDE, histories=[])
"""Without what takes long to look at."""

SEEN = assessments(INSIDE)[0]


def look(sample: Sample) -> Report:
    return report_of(sample.bundle(), sample)


def verdicts(report: Report) -> list[Finding]:
    """What of verdicts is wrong, and nothing else may be."""
    assert {one.check for one in report.wrong} <= {Check.VERDICTS}, told(report)
    return list(report.wrong)


def sla_missed(body: Body) -> None:
    """Half of the leads that were met were not; the values are what the rows come to."""
    rows = {(one["cohort"], one["metric"]): one["partners"] for one in body["rows"]}
    for (_, metric), partners in rows.items():
        if metric == SLA:
            for one in partners:
                one["numerator"] = (one["numerator"] or 0.0) / 2
    for reading in (*body["snapshot"]["readings"], *body["snapshot"].get("comparison", ())):
        if reading["metric"] == SLA:
            partners = [PartnerReading.model_validate_json(json.dumps(one)) for one in rows[reading["cohort"], SLA]]
            reading["group"] = json.loads(group_value(SLA, partners).model_dump_json())


def says(**fields: Any) -> Callable[[Body], None]:
    """An assessment that says so of the SLA."""

    def edit(body: Body) -> None:
        for item in body["items"]:
            if item["metric"] == SLA:
                item |= fields

    return edit


def what_it_comes_to() -> float:
    """The SLA of the forged numbers."""
    body = body_of(INSIDE, body_of(INSIDE, SEEN.evidence_digest or "")["snapshot_digest"])
    sla_missed(body)
    found: float = next(one["group"]["value"] for one in body["snapshot"]["readings"] if one["metric"] == SLA)
    return found


def written(sequence: int, **changes: Any) -> Sample:
    """The insider's bundle with one entry changed, in the log and in the history."""

    def changed(body: Any) -> Any:
        for one in entries_in(body):
            if one["sequence"] == sequence:
                one |= changes
        return body

    return each_entry(INSIDE, changed)


def entry_of(beginning: str) -> int:
    return next(one.sequence for one in INSIDE.entries() if one.message.startswith(beginning))


def test_the_insiders_own_bundle_is_proven_before_anything_in_it_is_forged() -> None:
    report = look(INSIDE)
    assert report.findings == ()
    assert report.proven.judged == report.proven.assessments == len(assessments(INSIDE)) == 9
    assert "9 of 9 assessments judged anew" in report.line


def test_met_where_the_evidence_says_not_met_is_found_though_every_digest_and_signature_fits() -> None:
    report = look(with_snapshot(INSIDE, SEEN, sla_missed, says(value=what_it_comes_to())))
    [found] = [one for one in verdicts(report) if "is stated" in one.what]
    assert (found.entry, found.found, found.expected) == (SEEN.sequence, "met", "not met")
    assert found.what.startswith("lead_follow_up_sla of pilot is stated with another verdict")
    assert report.line.startswith("NOT PROVEN: evidence/")
    assert report.proven.judged == 8


def test_a_gate_passed_on_evidence_with_a_block_is_found_though_the_verdict_is_told_as_it_is() -> None:
    honest = says(verdict="not met", beyond_threshold=True, value=what_it_comes_to())
    at = next(one for one in assessments(INSIDE) if one.phase == "validate")
    report = look(with_snapshot(INSIDE, at, sla_missed, honest))
    assert not [one for one in verdicts(report) if "is stated" in one.what]
    assert f"entry {at.sequence}: the evidence asks for a pause, and none followed" in told(report)
    gate = next(one for one in INSIDE.entries() if one.gate == "validate_to_scale" and one.verb is None)
    told_of = (
        f"entry {gate.sequence}: gate validate_to_scale was opened, and the evidence does not allow it: Lead follow"
    )
    assert told_of in told(report)


def test_a_phase_left_by_evidence_alone_is_held_to_it_too() -> None:
    honest = says(verdict="not met", beyond_threshold=True, value=what_it_comes_to())
    at = next(one for one in assessments(INSIDE) if one.message.startswith("Assessed (at the gate)"))
    report = look(with_snapshot(INSIDE, at, sla_missed, honest))
    assert verdicts(report)
    assert "pilot was left, and the evidence does not allow it: Lead follow-up SLA of pilot: not met" in told(report)


def test_a_number_that_is_not_what_its_rows_come_to_is_found() -> None:
    def better(body: Body) -> None:
        for reading in body["snapshot"]["readings"]:
            if reading["metric"] == SLA:
                reading["group"]["value"] = 99.0

    report = look(with_snapshot(INSIDE, SEEN, better, says(value=99.0)))
    [found] = verdicts(report)
    assert (found.entry, found.found) == (SEEN.sequence, "99.0")
    assert found.what.startswith("lead_follow_up_sla of pilot has another value than its rows")


def test_a_metric_that_is_left_out_of_an_assessment_is_found() -> None:
    def without(body: Body) -> None:
        body["items"] = [one for one in body["items"] if one["metric"] != SLA]

    report = look(with_assessment(INSIDE, SEEN, without))
    assert "lead_follow_up_sla of pilot is not judged" in told(report)
    assert "pilot was left, and the evidence does not allow it" not in told(report)


def test_a_metric_that_is_judged_twice_is_found() -> None:
    def twice(body: Body) -> None:
        body["items"] = [*body["items"], {**body["items"][0], "verdict": "not met"}]

    report = look(with_assessment(INSIDE, SEEN, twice))
    assert "a metric of a cohort is judged twice" in told(report)


def test_a_log_that_tells_another_verdict_than_its_assessment_is_found() -> None:
    """The workflow went by what it was told; the evidence in the store says something else."""
    body = body_of(INSIDE, SEEN.evidence_digest or "")
    other = {f"{one['cohort']}/{one['metric']}": "cannot tell" for one in body["items"]}
    report = look(written(SEEN.sequence, detail={**SEEN.detail, "verdicts": other}))
    [first, *_] = verdicts(report)
    assert "the log tells another verdict of pilot/" in first.what
    assert (first.found, first.expected) == ("cannot tell", "met")


def test_a_gate_opened_on_other_evidence_than_the_newest_is_found() -> None:
    gate = next(one for one in INSIDE.entries() if one.gate == "wave_2" and one.verb is None)
    found = told(look(written(gate.sequence, evidence_digest=SEEN.evidence_digest)))
    assert "gate wave_2 was opened on other evidence than the newest" in found


def test_a_phase_left_on_evidence_from_before_its_time_was_served_is_found() -> None:
    entry = entry_of("Time served")
    later = INSIDE.entries()[entry + 1].programme_at.replace(year=2027)
    found = told(look(written(entry, programme_at=later.isoformat().replace("+00:00", "Z"))))
    assert "on evidence from before the phase had served its time" in found
    assert "before the phase had served its time" in told(look(written(entry, message="Time flies")))


def test_evidence_from_before_the_approval_passes_no_gate() -> None:
    decision = [one for one in INSIDE.entries() if one.gate == "validate_to_scale" and one.outcome == "applied"][-1]
    later = decision.programme_at.replace(year=2027).isoformat().replace("+00:00", "Z")
    found = told(look(written(decision.sequence, programme_at=later)))
    assert "gate validate_to_scale was passed on evidence from before the last approval" in found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"kind": "pause", "message": "Paused (guardrail): slow", "detail": {"must_act": ["sponsor"]}},
            "it was paused for a breach, and the evidence shows none",
        ),
        (
            {"kind": "stop", "message": "Stopping: stop condition fulfilled"},
            "it was stopped by the plan's own conditions, and the evidence fulfils none",
        ),
        (
            {"kind": "refusal", "verb": "resume", "outcome": "refused", "evidence_digest": SEEN.evidence_digest},
            "it was not resumed, and the evidence stands in nobody's way",
        ),
    ],
)
def test_what_the_evidence_gave_no_reason_for_is_found(changes: Body, expected: str) -> None:
    """The entry behind an assessment in which all is met says that something followed from it."""
    report = look(written(SEEN.sequence + 1, **changes))
    assert f"entry {SEEN.sequence + 1}: {expected}" in told(report)


def test_a_resume_against_the_evidence_is_found() -> None:
    honest = says(verdict="not met", beyond_threshold=True, value=what_it_comes_to())
    sample = with_snapshot(INSIDE, SEEN, sla_missed, honest)
    digest = sample.entries()[SEEN.sequence - 1].evidence_digest
    resumed = {"kind": "resume", "verb": "resume", "outcome": "applied", "evidence_digest": digest}

    def changed(body: Any) -> Any:
        for one in entries_in(body):
            if one["sequence"] == SEEN.sequence + 1:
                one |= resumed
        return body

    found = told(look(each_entry(sample, changed)))
    assert "it was resumed, and the evidence does not allow it: lead_follow_up_sla of pilot is not met" in found


def test_another_releases_verdicts_are_no_pass_and_no_accusation() -> None:
    """The rules may have been others; the release that the bundle names can tell."""
    sample = with_snapshot(INSIDE, SEEN, sla_missed, says(value=what_it_comes_to()))
    report = verify(sample.bundle(), sample.trusted, "another")
    assert [one.what for one in report.wrong if "stated" in one.what or "rows" in one.what] == []
    [gap] = [one for one in report.findings if one.gap is Gap.VERDICTS]
    assert "by this release's rules the evidence does not bear it out" in gap.what
    assert "not proven: verdicts" in report.line
    assert report.gaps(frozenset({Gap.REPLAY})) != ()


def test_evidence_that_is_not_there_is_said_not_to_be_judged() -> None:
    digest = body_of(INSIDE, SEEN.evidence_digest or "")["snapshot_digest"]
    evidence = {path: one for path, one in INSIDE.evidence.items() if path != evidence_path(digest)}
    report = look(replace(INSIDE, evidence=evidence))
    assert {one.check for one in report.wrong} == {Check.EVIDENCE}
    [gap] = [one for one in report.findings if one.gap is Gap.VERDICTS]
    assert f"1 were not judged anew, their evidence cannot be read: entry {SEEN.sequence}" in gap.what
    assert report.proven.judged == 8


def test_evidence_of_a_moment_that_had_not_come_is_found() -> None:
    """It would be newer than all that a gate's evidence has to be newer than."""
    leaves = [json.loads(one) for one in LEAN.leaves]
    leaves[SEEN.sequence - 1]["entry"]["programme_at"] = "2026-01-06T00:00:00Z"
    report = look(replace(LEAN, leaves=[canonical(one) for one in leaves]))
    assert f"entry {SEEN.sequence}: it was judged as of a moment that had not come (found 2026-01-07" in told(report)


def test_an_assessment_of_which_the_log_tells_no_verdict_is_counted_and_not_passed_over() -> None:
    leaves = [json.loads(one) for one in LEAN.leaves]
    leaves[SEEN.sequence - 1]["entry"]["detail"] = {}
    report = look(replace(LEAN, leaves=[canonical(one) for one in leaves]))
    assert (report.proven.judged, report.proven.assessments) == (8, 9)
    told_of = f"1 were not judged anew, the log does not tell what they say: entry {SEEN.sequence}"
    assert told_of in [one.sentence for one in report.gaps()]


def test_a_log_that_ends_where_evidence_asks_for_a_pause_is_told_of() -> None:
    honest = says(verdict="not met", beyond_threshold=True, value=what_it_comes_to())
    forged = with_snapshot(LEAN, SEEN, sla_missed, honest)
    leaves = forged.leaves[: SEEN.sequence]
    named = {one.evidence_digest for one in forged.entries()[: SEEN.sequence]}
    named |= {body_of(forged, leaf)["snapshot_digest"] for leaf in named if leaf and _assesses(forged, leaf)}
    kept = {path: one for path, one in forged.evidence.items() if path in {evidence_path(one) for one in named if one}}
    report = look(replace(forged, leaves=leaves, evidence=kept, sizes=(len(leaves),)))
    assert verdicts(report) == []
    [gap] = [one for one in report.findings if one.gap is Gap.VERDICTS]
    assert gap.sentence == f"entry {SEEN.sequence}: the evidence asks for a pause, and the log ends before one"


def _assesses(sample: Sample, digest: str) -> bool:
    return evidence_path(digest) in sample.evidence and "snapshot_digest" in body_of(sample, digest)


def test_a_list_of_looks_that_is_none_is_named() -> None:
    for content, expected in ((b"x\n", "line 1 is no look"), (b"{}\n", "line 1 is no look")):
        report = look(replace(INSIDE, looks=content))
        [found] = verdicts(report)
        assert (found.file, expected in found.what) == ("looks.jsonl", True)


STATED = body_of(INSIDE, SEEN.evidence_digest or "")
MEASURED = body_of(INSIDE, STATED["snapshot_digest"])
OTHERS: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(min_value=0, max_value=1000) | st.none(),
    float: st.floats(min_value=-1e6, max_value=1e6) | st.none(),
    str: st.sampled_from(["met", "not met", "cannot tell", "no evidence", "warn", "stop", "outcome", "", "x"]),
    type(None): st.sampled_from(["met", "not met", 1.5, True, []]),
}
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 2**53 - 1, 1e308, "", "2026-01-05T00:00:00", [], {}, {"a": [1]}]
)


@settings(max_examples=30)
@given(st.data())
def test_whatever_decides_is_found_in_an_assessment_that_says_it_otherwise(data: st.DataObject) -> None:
    at = data.draw(st.integers(min_value=0, max_value=len(STATED["items"]) - 1))
    name = data.draw(st.sampled_from([one for one in DECIDES if one in STATED["items"][at]]))
    before = STATED["items"][at][name]
    other = data.draw((OTHERS[type(before)] | JUNK).filter(lambda one: one != before))

    def edit(body: Body) -> None:
        body["items"][at][name] = other

    report = look(with_assessment(LEAN, SEEN, edit))
    assert [one for one in report.wrong if one.check is Check.VERDICTS], (name, before, other)


@settings(max_examples=30)
@given(st.data())
def test_no_evidence_with_digests_that_fit_crashes_who_judges_it(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([STATED, MEASURED]))
    place = data.draw(st.sampled_from([one for one in places(whole) if one]))
    other = data.draw(JUNK)

    def edit(body: Body) -> None:
        body.update(put(body, place, other))

    try:
        forge = with_assessment if whole == STATED else with_snapshot
        sample = forge(LEAN, SEEN, edit)
    except (ValueError, TypeError, KeyError, AttributeError):
        return  # it has no digest at all
    report_of(sample.bundle(), sample)


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_no_bytes_in_the_list_of_looks_crash_who_reads_it(content: bytes) -> None:
    report_of(replace(LEAN, looks=content).bundle(), LEAN)
