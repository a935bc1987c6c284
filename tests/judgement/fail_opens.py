"""The seventeen spots at which other systems let absence pass, as the survey of the field numbers them, and which tests
close each here. Each has its like: none is left out."""

from __future__ import annotations

_HERE, _FLOW = "judgement/test_fail_open.py::test_", "workflows/test_fail_open.py::test_"

SPOTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("stopped before any reading counts as success", (f"{_FLOW}stopped_before_any_reading_is_stopped_not_completed",)),
    (
        "stopped while the source gives errors counts as success",
        (f"{_FLOW}stopped_while_a_source_gives_nothing_is_stopped_not_completed",),
    ),
    ("no conditions count as success", (f"{_HERE}no_conditions_given_is_no_success",)),
    ("infinity passes", (f"{_HERE}infinity_does_not_pass",)),
    (
        "time that is up ends a check that is under way as passed",
        (f"{_FLOW}no_traffic_does_not_advance", f"{_FLOW}a_watch_that_never_looked_opens_no_gate"),
    ),
    (
        "to promote skips a check that is under way",
        (f"{_FLOW}an_approval_does_not_skip_an_assessment_that_is_under_way",),
    ),
    ("a delay that makes no sense never measures", (f"{_HERE}a_plan_that_would_never_be_looked_at_is_refused",)),
    (
        "a check that never ran passes",
        (
            f"{_FLOW}a_watch_that_never_looked_opens_no_gate",
            f"{_FLOW}an_assessment_of_nothing_opens_no_gate",
            f"{_HERE}nothing_to_judge_is_no_success",
        ),
    ),
    (
        "a misspelt metric passes",
        (
            f"{_HERE}a_misspelt_metric_does_not_pass",
            f"{_HERE}a_metric_that_is_left_out_without_a_word_does_not_pass",
            f"{_FLOW}a_metric_that_is_missing_from_the_assessment_opens_no_gate",
        ),
    ),
    ("a group with no data scores 100", (f"{_HERE}a_group_with_no_data_does_not_score",)),
    (
        "what ends in an error counts nowhere",
        (f"{_FLOW}an_outcome_without_evidence_counts_against_the_weight_that_must_be_met",),
    ),
    (
        "what is not a number is replaced and passes",
        (f"{_HERE}nan_neither_passes_nor_fails", "judgement/test_gates.py::test_what_is_not_a_number_always_blocks"),
    ),
    (
        "no baseline is satisfied",
        (
            f"{_HERE}a_missing_baseline_is_not_satisfied",
            f"{_FLOW}a_missing_baseline_satisfies_nothing",
            "judgement/test_gates.py::test_each_arm_needs_a_baseline_of_its_own",
        ),
    ),
    (
        "nothing that decides passes",
        (f"{_HERE}metrics_that_only_inform_decide_nothing", f"{_HERE}a_change_that_was_not_measured_is_no_success"),
    ),
    (
        "a failed result becomes the next baseline",
        (
            f"{_HERE}a_failed_result_does_not_become_the_next_baseline",
            f"{_FLOW}a_failed_period_never_becomes_the_baseline",
        ),
    ),
    (
        "no traffic only warns and advances",
        (f"{_HERE}no_traffic_does_not_advance", f"{_FLOW}no_traffic_does_not_advance"),
    ),
    ("an approval that times out takes its default", (f"{_FLOW}no_answer_is_never_an_approval",)),
)
