"""What the field says a metric is, sentence by sentence, and which test holds each: numbers worked out by hand.

What nothing holds says why.
"""

from __future__ import annotations

from tests.store.definitions_facts import FACTS
from tests.store.definitions_of import Sentence, held, named
from tests.store.definitions_trust import TRUSTED


def _margin(says: str, *names: str) -> Sentence:
    return Sentence(says, named("test_metric_margin.py", *names))


def _velocity(says: str, *names: str) -> Sentence:
    return Sentence(says, named("test_metric_velocity.py", *names))


def _score(says: str, *names: str) -> Sentence:
    return Sentence(says, named("test_metric_compliance.py", *names))


def _mdf(says: str, *names: str) -> Sentence:
    return Sentence(says, named("test_metric_mdf.py", *names))


def _course(says: str, *names: str) -> Sentence:
    return Sentence(says, named("test_metric_enablement.py", *names))


def _lead(says: str, *names: str) -> Sentence:
    return Sentence(says, named("test_metric_sla.py", *names))


COMMON = (
    held(
        "population: the cohort at the window's start; who leaves stays in until then and is churn",
        *named(
            "test_metric_population.py",
            "what_a_partner_did_before_it_left_still_counts",
            "who_left_is_counted_as_lost",
            "states_at_the_moment_are_those_of_who_is_still_there",
        ),
    ),
    held(
        "a window takes its start and leaves its end",
        "test_metric_margin.py::test_the_window_takes_its_first_day_and_leaves_its_end",
        "test_metric_velocity.py::test_the_window_takes_its_start_and_leaves_its_end",
        "test_metric_sla.py::test_the_window_takes_its_start_and_leaves_its_end",
        "test_metric_mdf.py::test_unbudgeted_payments_are_those_of_the_window",
        "test_metric_enablement.py::test_the_window_only_picks_the_assignments_reported_apart",
        "test_metric_leakage.py::test_the_window_takes_its_first_day_and_leaves_its_end",
        "test_metric_churn.py::test_every_loss_is_counted_in_one_window_and_no_more",
    ),
    held(
        "as of a moment: what is recorded later is unknown",
        "test_metric_margin.py::test_facts_known_later_are_unknown",
        "test_metric_velocity.py::test_a_close_counts_only_from_when_it_is_known",
        "test_metric_compliance.py::test_a_new_inspection_replaces_the_old_one_from_its_date",
        "test_metric_mdf.py::test_each_step_counts_from_when_it_is_known",
        "test_metric_enablement.py::test_a_completion_counts_only_from_when_it_is_known",
        "test_metric_sla.py::test_a_contact_counts_only_from_when_it_is_known",
        "test_metric_churn.py::test_a_leaving_counts_only_from_when_it_is_known",
        "test_metric_leakage.py::test_a_line_known_later_is_unknown",
    ),
    held(
        "a group is the ratio of sums and never a mean of ratios",
        *(
            f"test_metric_{name}.py::test_a_group_is_the_ratio_of_sums"
            for name in ("margin", "mdf", "enablement", "sla", "churn", "leakage")
        ),
        "test_metric_velocity.py::test_a_group_follows_from_the_summed_parts",
        "test_metric_compliance.py::test_a_group_is_the_mean_over_partners_with_a_score",
    ),
    held(
        "no denominator is no value with a reason, and never zero",
        "test_metric_catalogue.py::test_a_metric_without_a_value_says_why_and_it_is_one_of_its_reasons",
        "judgement/test_values.py::test_a_partner_with_nothing_to_show_gives_a_reason_not_a_number",
        "judgement/test_values.py::test_nobody_measured_is_no_data",
    ),
    held(
        "too little volume is no verdict",
        "judgement/test_thresholds.py::test_a_small_sample_never_passes",
        "judgement/test_fail_open.py::test_no_traffic_does_not_advance",
    ),
    held(
        "a stale source is no evidence",
        "judgement/test_thresholds.py::test_only_current_data_are_evidence",
        "judgement/test_thresholds.py::test_data_that_reach_nowhere_are_no_evidence",
    ),
    held(
        "money in one reporting currency, at a rate with its date",
        "test_metric_margin.py::test_each_amount_is_converted_at_its_own_months_rate",
        "test_metric_margin.py::test_a_rate_into_another_currency_does_not_help",
        "test_amendments.py::test_a_rate_corrected_later_converts_as_it_stood",
    ),
    held(
        "value, both sides, partners, facts, parts, how far data reach, version of the definition",
        "test_metric_catalogue.py::test_a_value_comes_with_both_sides_what_it_rests_on_and_how_far_its_data_reach",
        "test_metric_catalogue.py::test_every_part_the_catalogue_names_is_there_and_no_other",
        "activities/test_metrics.py::test_a_snapshot_measures_every_metric_of_every_cohort",
    ),
)

MARGIN = (
    held(
        "worked out a second time, in plain Python, over made-up worlds with corrections",
        "test_metrics_plainly.py::test_margin_is_what_is_worked_out_plainly",
    ),
    _margin(
        "net revenue, before tax, less product, freight, commissions, rebates, SPIFFs, MDF paid, support",
        "all_variable_cost_is_subtracted_and_every_part_is_kept",
    ),
    _margin("cm1, cm2 and the money beside the percent", "all_variable_cost_is_subtracted_and_every_part_is_kept"),
    _margin("sourced revenue; influenced kept apart", "influenced_revenue_and_cost_are_kept_apart"),
    _margin(
        "zero or negative revenue: no margin, the money still reported, no floor divided by",
        "only_credits_have_no_margin_but_keep_the_money",
        "sales_that_returns_cancel_out_are_not_divided_by",
        "without_a_margin_both_sides_of_it_are_still_reported",
        "cost_without_revenue_has_no_margin",
    ),
    _margin("returns and credits on their own date", "a_return_counts_on_its_own_date_even_of_an_earlier_sale"),
    _margin(
        "rebates by the period that earned them",
        "a_rebate_belongs_to_the_month_that_earned_it",
        "a_rebate_of_a_shared_deal_counts_by_the_partners_share",
        "part_of_a_month_takes_that_part_of_its_rebate",
    ),
    _margin("open accruals are flagged", "months_whose_rebate_run_is_not_closed_are_flagged"),
    _margin(
        "MDF is in cost once only",
        "development_funds_cannot_be_booked_as_a_cost_too",
        "all_variable_cost_is_subtracted_and_every_part_is_kept",
    ),
    _margin(
        "unlike currencies are not added without a rate",
        "a_missing_rate_is_no_value_until_the_rate_is_known",
        "development_funds_are_converted_at_the_rate_of_their_payment_and_need_one",
        "each_amount_is_converted_at_its_own_months_rate",
        "influenced_revenue_without_a_rate_is_no_value_because_it_is_shown_beside_it",
    ),
    _margin(
        "a deal of two partners by shares that add up to one",
        "a_deal_of_two_partners_is_counted_once",
        "three_thirds_of_a_deal_are_one_however_they_are_rounded",
        "shares_over_one_are_no_value_also_for_one_of_the_partners",
        "shares_that_come_to_less_than_one_count_as_they_are_and_the_rest_is_nobodys",
        "influence_does_not_use_up_the_credit_of_a_deal",
    ),
    _margin(
        "a shift of mix shows: each partner's own, and an average that it leaves alone",
        "a_shift_of_revenue_between_partners_shows_beside_the_margin",
        "ratio_of_sums_mean_and_median_of_partners_are_three_numbers",
    ),
    held(
        "on real lines 0.58 as a ratio of sums, 1.01 as a mean, -0.25 as a median",
        "test_real_data.py::test_ratio_of_sums_mean_and_median_of_the_resellers_are_three_numbers",
    ),
    held(
        "a month at -60 percent stands out",
        "test_real_data.py::test_the_month_at_minus_sixty_percent_stands_between_two_ordinary_ones",
        "test_real_quality.py::test_the_quarter_with_that_month_lies_far_from_every_look_before_it",
        "judgement/test_band.py::test_a_margin_at_minus_60_is_not_judged_and_says_why",
    ),
)

VELOCITY = (
    held(
        "worked out a second time, in plain Python, over made-up worlds with corrections",
        "test_metrics_plainly.py::test_velocity_is_what_is_worked_out_plainly",
    ),
    _velocity("four parts, all of them kept", "the_four_parts_multiply_to_the_value"),
    _velocity("qualified and sourced deals only", "cancelled_duplicate_unqualified_and_influenced_deals_are_out"),
    _velocity(
        "nothing closed is no value, nothing won is zero", "no_close_yet_is_no_value", "only_lost_deals_are_zero"
    ),
    _velocity("a cycle of no days is one", "a_cycle_lasts_one_day_at_least"),
    _velocity(
        "open deals are counted, never lost",
        "open_deals_are_counted_and_never_taken_as_lost",
        "open_deals_of_any_age_leave_the_number_where_it_is",
    ),
    _velocity(
        "stale ones are flagged and left out",
        "idle_and_overage_deals_are_flagged_as_stale",
        "what_happens_to_a_deal_after_the_moment_keeps_it_from_being_stale_only_then",
    ),
    _velocity(
        "mean or median cycle: one in the rule, both kept",
        "the_formula_takes_the_mean_cycle_and_the_median_stands_beside_it",
        "without_a_won_deal_there_is_no_average_and_no_cycle_to_show",
    ),
    _velocity("of a reopened deal the last close counts", "the_last_close_of_a_reopened_deal_counts"),
    _velocity("merged duplicates count once", "a_deal_registered_twice_counts_once"),
    _velocity("observed for less than most cycles: immature", "a_window_shorter_than_most_cycles_is_marked_immature"),
    held(
        "what is immature does not pass",
        "judgement/test_thresholds.py::test_velocity_over_a_window_too_short_for_its_deals_is_no_pass",
    ),
    _velocity(
        "quarter ends differ from other months: compare like with like",
        "whole_quarters_are_alike_where_their_last_months_are_not_like_the_others",
    ),
)

COMPLIANCE = (
    held(
        "worked out a second time, in plain Python, over made-up worlds with corrections",
        "test_metrics_plainly.py::test_the_score_is_what_is_worked_out_plainly",
    ),
    _score("weighted results of the checks that apply and are in date", "results_are_weighted"),
    _score("a result may be met in part", "a_partial_result_counts_by_its_share"),
    _score("a failed critical check is listed", "critical_failures_are_listed"),
    held(
        "and fails the gate outright",
        "judgement/test_thresholds.py::test_a_failed_critical_check_is_not_met_outright",
    ),
    _score(
        "the latest result of a check stands",
        "a_new_inspection_replaces_the_old_one_from_its_date",
        "a_newer_inconclusive_result_does_not_bring_the_older_pass_back",
        "of_two_results_of_one_moment_the_one_known_last_stands",
    ),
    _score(
        "active partners with a check that applies; not assessed reported apart",
        "checks_apply_by_type_tier_and_region_and_while_in_force",
        "partners_who_left_or_have_not_come_yet_have_no_row",
        "a_partner_to_whom_no_check_applies_is_nobody_without_a_score",
        "checks_nobody_assessed_lower_coverage_and_a_partner_without_any_result_is_seen",
    ),
    _score("what does not apply is in neither sum", "what_does_not_apply_is_in_neither_sum"),
    _score(
        "inconclusive is out; below 80 percent coverage no score",
        "inconclusive_is_out_of_the_score_but_lowers_coverage",
        "eighty_percent_of_the_weight_is_enough",
        "a_group_that_is_mostly_unassessed_has_no_value",
    ),
    _score(
        "an expired result is missing",
        "an_expired_result_is_missing_not_its_old_value",
        "a_critical_failure_that_is_no_longer_in_date_is_missing_and_not_failed",
    ),
    _score("grace is a parameter", "a_check_may_say_how_long_results_last_and_give_grace"),
    _score(
        "a waiver is approved, dated, ending, listed, and a pass only while it lasts",
        "a_waiver_counts_as_a_pass_only_while_it_is_valid_and_is_listed",
        "a_revoked_or_not_yet_known_waiver_does_not_count",
        "a_waiver_must_end",
    ),
    _score(
        "changed weights are a new version, history stays",
        "changed_weights_are_a_new_version_and_history_is_not_recomputed",
    ),
    _score("re-inspection has its own date", "a_new_inspection_replaces_the_old_one_from_its_date"),
)

MDF = (
    _mdf("utilisation and spend rate are two numbers", "utilisation_and_spend_rate_stand_beside_it"),
    _mdf(
        "payments by cash date, commitments by approval",
        "each_step_counts_from_when_it_is_known",
        "unbudgeted_payments_are_those_of_the_window",
    ),
    _mdf("allocations active in the window", "allocations_of_other_periods_and_their_spend_are_not_counted"),
    _mdf(
        "request, reservation, claim, approval, payment; rejection, part approval, cancelling, expiry at each",
        "each_step_counts_from_when_it_is_known",
        "rejected_and_undecided_requests_reserve_nothing_and_a_rejected_claim_keeps_the_reservation",
        "a_claim_taken_back_is_owed_to_nobody_and_keeps_the_reservation",
        "a_reservation_whose_only_claim_was_rejected_expires_with_the_deadline",
    ),
    _mdf(
        "three balances, and never one",
        "three_balances_against_the_plan_to_date",
        "what_is_available_is_what_nobody_has_paid_owes_or_reserved",
    ),
    held(
        "all of them worked out a second time over made-up histories",
        "test_metric_mdf_again.py::test_agrees_with_the_definition_written_a_second_time",
    ),
    _mdf(
        "a release gives money back",
        "a_released_reservation_gives_the_money_back",
        "money_comes_back_when_a_claim_is_lower_a_request_is_released_or_nobody_claims",
    ),
    _mdf(
        "of claim and approval the lower, after co-pay",
        "the_lower_of_claim_and_approval_is_owed_after_co_pay",
        "claims_together_are_owed_no_more_than_was_promised",
        "payment_above_what_is_due_counts_in_full_and_is_flagged",
        "part_claims_draw_on_the_reservation_until_the_last_settles_it",
    ),
    _mdf(
        "late claims need an approver",
        "claims_after_the_deadline_are_flagged_unless_somebody_let_them_pass",
        "the_whole_day_of_the_deadline_is_in_time",
    ),
    held(
        "what nobody claims expires, the rest of what is claimed in part as well",
        "test_metric_mdf.py::test_what_nobody_claimed_by_the_deadline_expires",
        *named(
            "test_metric_mdf_edges.py",
            "of_a_reservation_that_is_claimed_in_part_the_rest_expires_with_the_deadline",
            "a_claim_in_another_currency_keeps_its_reservation_until_it_is_decided",
        ),
    ),
    _mdf(
        "accrual and discretionary funds have different denominators",
        "an_accrual_fund_is_all_there_for_the_spending_a_discretionary_one_by_and_by",
        "an_accrual_fund_grows_with_what_is_earned",
    ),
    _mdf(
        "spend without an allocation: no value and an alarm",
        "spend_without_an_allocation_is_no_value_with_the_amount",
        "one_partners_unbudgeted_spend_is_not_hidden_by_the_others_plan",
        "spend_against_an_allocation_of_nothing_is_unbudgeted",
        "an_allocation_made_known_later_leaves_the_spend_unbudgeted_until_then",
    ),
    held(
        "which is a breach by itself",
        "judgement/test_thresholds.py::test_spend_without_an_allocation_is_not_met_outright",
    ),
    _mdf(
        "early in a period the plan to date counts, not the whole",
        "a_young_period_says_nothing_yet",
        "more_than_the_whole_allocation_is_seen_however_young_the_period",
        "a_young_period_does_not_blur_the_one_before",
        "an_allocation_nobody_touches_is_under_use_not_absence",
    ),
    _mdf(
        "foreign claims at the approval's rate while reserved and the payment's once paid",
        "a_claim_in_another_currency_is_reserved_at_one_days_rate_and_paid_at_anothers",
        "part_of_a_foreign_reservation_is_drawn_at_the_rate_it_was_reserved_at",
        "each_amount_is_converted_at_the_rate_of_its_own_day",
    ),
    _mdf(
        "the same invoice again is not paid, across claims and partners",
        "the_same_invoice_again_is_not_owed_and_flagged_whoever_hands_it_in",
        "an_invoice_is_a_duplicate_only_once_the_first_one_is_known",
        "an_invoice_may_be_handed_in_again_once_the_first_claim_is_gone",
    ),
    _margin(
        "MDF as a percent of sourced revenue",
        "development_funds_as_a_percent_of_sourced_revenue_follow_from_two_parts",
    ),
)

ENABLEMENT = (
    _course(
        "completed and still valid / due by the moment and completed early; on-time rate beside it",
        "every_state_is_told_apart_and_only_due_or_early_ones_count",
        "assignments_not_due_yet_do_not_dilute_the_number",
    ),
    _course("assigned in the window beside it", "the_window_only_picks_the_assignments_reported_apart"),
    _course(
        "active people; waived and withdrawn out",
        "people_and_partners_who_left_are_out",
        "people_and_partners_who_have_not_begun_are_asked_for_nothing",
        "withdrawing_after_the_due_date_does_not_make_it_disappear",
        "a_waiver_counts_from_when_it_is_known",
    ),
    _course(
        "not due, on time, late, overdue, waived, withdrawn, expired, failed",
        "every_state_is_told_apart_and_only_due_or_early_ones_count",
        "the_whole_due_day_is_in_time",
    ),
    _course(
        "completed now is not completed once",
        "a_certificate_counts_to_its_last_day",
        "a_certificate_that_lapsed_before_the_due_date_leaves_the_assignment_not_due",
    ),
    _course(
        "the due date in force at the moment",
        "the_due_date_in_force_at_the_moment_decides",
        "a_due_date_brought_forward_decides_from_when_it_is_known",
    ),
    _course(
        "every state worked out a second time over made-up histories",
        "agrees_with_the_definition_written_a_second_time",
    ),
    _course("made after its due date: out", "every_state_is_told_apart_and_only_due_or_early_ones_count"),
    _course("prior credit is completed, and apart", "prior_credit_is_completed_and_reported_apart"),
    _course(
        "recertifying is a new assignment, the old certificate holds",
        "recertifying_does_not_count_twice_and_the_old_certificate_holds_until_it_expires",
    ),
    _course("a person in two partners", "a_person_of_two_partners_counts_for_the_one_the_assignment_was_made_for"),
    _course("assignments and not people in the guardrail", "assignments_are_counted_and_not_people"),
    Sentence(
        "partners with so many certified people, for tier rules",
        named(
            "test_metric_certified.py",
            "a_partner_counts_that_has_two_certified_people",
            "how_many_have_another_number_stands_beside_it",
            "a_certificate_counts_to_its_last_day_and_people_while_they_are_there",
            "a_person_is_certified_for_the_partner_that_the_course_was_assigned_for",
        ),
    ),
)

SLA = (
    _lead("met, late, open breach; pending out", "every_state_is_told_apart_and_only_decided_leads_count"),
    _lead(
        "six states, the deadline inclusive; contacted before assigned is invalid",
        "every_state_is_told_apart_and_only_decided_leads_count",
        "agrees_with_the_definition_written_a_second_time",
    ),
    held(
        "agrees with a city's own flag on 27,803 of 27,803",
        "test_real_data.py::test_each_case_has_the_state_of_its_flag",
        "test_real_data.py::test_the_states_add_up_to_the_whole_file",
        "test_real_data.py::test_every_area_has_its_states_by_hand_as_of_any_moment",
    ),
    _lead(
        "median and ninth decile of the time to first contact",
        "percentiles_are_those_of_all_leads_contacted_met_or_late",
        "without_any_contact_there_is_no_time_to_contact",
    ),
    _lead(
        "the clock starts at assignment; accepting has its own deadline",
        "the_clock_starts_when_the_partner_gets_the_lead_not_when_it_came_in",
        "a_lead_that_was_accepted_is_still_to_be_contacted",
    ),
    held(
        "business hours in the partner's zone, with holidays; after hours begins at the next opening",
        "test_deadlines.py::test_a_lead_without_deadlines_gets_those_of_the_policy_in_the_partners_hours",
        "test_deadlines.py::test_a_lead_that_comes_after_hours_starts_at_the_next_opening",
        "test_deadlines.py::test_public_holidays_are_closed_unless_the_calendar_opens_them_and_stored_for_good",
    ),
    held(
        "agreed states pause the clock, and both elapsed times are kept",
        "test_deadlines.py::test_a_pause_moves_the_deadline_by_the_hours_it_took_from_when_it_is_known",
        "test_deadlines.py::test_time_to_contact_is_kept_by_both_clocks",
        "test_deadlines.py::test_business_time_to_contact_leaves_out_weekends_holidays_and_pauses_as_known_at_the_moment",
    ),
    held(
        "the deadline is stored when it is given",
        "test_deadlines.py::test_a_later_calendar_or_policy_moves_no_deadline",
        "test_metric_sla.py::test_each_lead_keeps_the_deadline_it_was_given_whatever_the_calendar_says_later",
    ),
    _lead(
        "reassigned: a new clock for the second, the first released in time or breached",
        "taken_away_in_time_releases_the_first_partner_but_not_after_the_deadline",
        "a_lead_is_taken_away_only_from_when_that_is_known",
        "a_contact_after_the_lead_was_taken_away_is_not_this_partners",
        "turned_down_in_time_a_lead_waits_for_the_vendor_and_after_the_deadline_it_is_a_breach",
    ),
    _lead(
        "recalled, duplicate and junk leads are out, with their count",
        "every_state_is_told_apart_and_only_decided_leads_count",
        "an_exclusion_made_after_the_deadline_is_counted_apart",
    ),
    _lead("an automatic reply is no contact", "an_automatic_reply_is_no_contact"),
    _lead("contacts written down days later are an alarm", "contacts_written_down_days_later_are_counted_apart"),
    _lead(
        "leads contacted early flatter while others of their age are pending",
        "leads_met_before_their_deadline_count_and_are_counted_apart",
    ),
    _lead(
        "an unknown contact is certainly missed only after the feed's latency",
        "a_breach_is_recent_for_a_day_in_which_a_contact_may_become_known",
    ),
    held(
        "decided leads beyond the limit with the minimum volume, or certain whatever happens to the pending ones",
        "judgement/test_sla.py::test_a_breach_is_one_on_enough_leads_or_once_it_is_certain",
    ),
    held(
        "which takes a pass away or warns",
        "judgement/test_thresholds.py::test_a_number_that_only_doubtful_facts_hold_up_is_met_with_a_warning",
    ),
    _lead(
        "deadlines are instants, across changes of the clock",
        "a_deadline_over_a_clock_change_is_an_instant",
        "the_hour_that_comes_twice_is_two_hours",
    ),
)

ALL = (
    held(
        "facts come late: how far they reach is told for each metric",
        *(
            f"test_metric_{name}.py::test_data_reach_to_the_latest_event_known"
            for name in ("velocity", "mdf", "enablement")
        ),
        "test_metric_margin.py::test_data_reach_as_far_as_revenue_and_its_cost_both_do",
        "test_metric_compliance.py::test_data_reach_to_the_latest_result_known",
        "test_metric_sla.py::test_data_through_is_the_latest_event_known_of_any_partner",
        "test_metric_churn.py::test_the_list_of_partners_reaches_to_its_latest_change",
        "test_metric_leakage.py::test_data_reach_to_the_end_of_the_latest_day_with_revenue",
    ),
    held(
        "restated facts make a new assessment, and the old one stays",
        "test_amendments.py::test_each_of_several_versions_stands_in_its_own_time",
        "activities/test_metrics.py::test_an_earlier_snapshot_is_judged_as_it_was_then",
    ),
    held(
        "facts are keyed and taken in once",
        "test_intake.py::test_importing_twice_changes_nothing_and_a_changed_row_is_updated",
        "test_intake.py::test_a_key_names_one_fact_and_does_not_change",
    ),
)

DEFINITIONS: dict[str, tuple[Sentence, ...]] = {
    "common to all": COMMON,
    "contribution_margin": MARGIN,
    "pipeline_velocity": VELOCITY,
    "compliance_score": COMPLIANCE,
    "mdf_spend": MDF,
    "enablement_completion": ENABLEMENT,
    "lead_follow_up_sla": SLA,
    "all metrics": ALL,
    **FACTS,
    **TRUSTED,
}
