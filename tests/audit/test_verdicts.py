"""What evidence does not bear out is found, however well all else was made to fit; what cannot be judged is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from audit.findings import Check, Report
from judgement.values import group_value
from models.evidence import PartnerReading
from models.metric import MetricName
from tests.audit.attacks import report_of, told
from tests.audit.exhibits import Sample
from tests.audit.insiders import INSIDE, Body, assessments, with_assessment, with_snapshot

SLA = MetricName.LEAD_FOLLOW_UP_SLA
AT_THE_GATE = assessments(INSIDE)[0]


def look(sample: Sample) -> Report:
    return report_of(sample.bundle(), sample)


def sla_missed(body: Body) -> None:
    """Half of the leads that were met were not; the value is what the rows come to."""
    for rows in body["rows"]:
        if rows["metric"] == SLA:
            for one in rows["partners"]:
                one["numerator"] = (one["numerator"] or 0.0) / 2
    for reading in body["snapshot"]["readings"]:
        if reading["metric"] == SLA:
            [rows] = [one for one in body["rows"] if (one["cohort"], one["metric"]) == (reading["cohort"], SLA)]
            partners = [PartnerReading.model_validate_json(json.dumps(one)) for one in rows["partners"]]
            reading["group"] = json.loads(group_value(SLA, partners).model_dump_json())


def says(**fields: Any) -> Any:
    """An assessment that says so of the SLA."""

    def edit(body: Body) -> None:
        for item in body["items"]:
            if item["metric"] == SLA:
                item |= fields

    return edit


def value_of(report: Report) -> float:
    """The value that the forged numbers come to, as the finding about it says."""
    [found] = [one for one in report.wrong if "lead_follow_up_sla" in one.what and "another value" in one.what]
    assert found.expected is not None
    return float(found.expected)


def test_the_insiders_own_bundle_is_proven_before_anything_in_it_is_forged() -> None:
    report = look(INSIDE)
    assert report.findings == ()
    assert report.proven.judged == report.proven.assessments == len(assessments(INSIDE)) == 9
    assert "9 of 9 assessments judged anew" in report.line


def test_met_where_the_evidence_says_not_met_is_found_though_every_digest_and_signature_fits() -> None:
    sample = with_snapshot(INSIDE, AT_THE_GATE, sla_missed)
    report = look(sample)
    assert {one.check for one in report.wrong} == {Check.VERDICTS}
    [found] = [one for one in report.wrong if "another verdict" in one.what]
    assert (found.entry, found.found, found.expected) == (AT_THE_GATE.sequence, "met", "not met")
    assert "lead_follow_up_sla of pilot is stated with another verdict" in found.what
    assert report.line.startswith("NOT PROVEN: evidence/")
    assert report.proven.judged == 8


def test_a_gate_that_was_opened_and_passed_on_evidence_with_a_block_is_found_though_the_verdict_is_told() -> None:
    """The assessment says *not met*, as its evidence does; the rollout went on all the same."""
    value = value_of(look(with_snapshot(INSIDE, AT_THE_GATE, sla_missed, says(value=0.0))))
    honest = says(verdict="not met", beyond_threshold=True, value=value)
    report = look(with_snapshot(INSIDE, AT_THE_GATE, sla_missed, honest))
    assert {one.check for one in report.wrong} == {Check.VERDICTS}
    assert not [one for one in report.wrong if "is stated with" in one.what]
    assert f"entry {AT_THE_GATE.sequence}: the evidence asks for a pause, and none followed" in told(report)


def test_a_number_that_is_not_what_its_rows_come_to_is_found() -> None:
    def better(body: Body) -> None:
        for reading in body["snapshot"]["readings"]:
            if reading["metric"] == SLA:
                reading["group"]["value"] = 99.0

    report = look(with_snapshot(INSIDE, AT_THE_GATE, better, says(value=99.0)))
    [found] = [one for one in report.wrong if "than its rows" in one.what]
    assert (found.entry, found.found) == (AT_THE_GATE.sequence, "99.0")
    assert "lead_follow_up_sla of pilot has another value than its rows" in found.what
