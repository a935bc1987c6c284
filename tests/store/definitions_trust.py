"""What the field says of whom to compare with, of data that mislead, of who moved a number, and which test holds it."""

from __future__ import annotations

from tests.store.definitions_of import Sentence, held, named


def _check(says: str, *names: str) -> Sentence:
    return held(says, *named("judgement/test_quality.py", *names))


def _counted(says: str, *names: str) -> Sentence:
    return held(says, *named("test_quality.py", *names))


def _through(says: str, *names: str) -> Sentence:
    return held(says, *named("activities/test_quality.py", *names))


COMPARISON = (
    _through(
        "whoever is not enrolled yet is measured beside the pilot, partner by partner, with a baseline of their own",
        "the_control_cohort_stands_beside_the_pilot_with_its_own_baseline",
        "without_a_control_cohort_whoever_is_not_enrolled_yet_is_compared",
    ),
)

TRUST = (
    _check(
        "freshness source by source, against its bound",
        "a_source_that_fell_silent_is_named_while_another_goes_on",
        "at_its_bound_a_source_is_still_current",
        "a_silent_source_of_few_partners_warns",
        "one_source_is_not_young_because_others_tell_of_partners_who_are_not_measured",
    ),
    _check(
        "completeness against what was usual",
        "missing_facts_warn_from_5_percent_on_and_are_red_from_25",
        "where_nothing_is_usual_nothing_is_missing_and_it_is_said",
    ),
    _counted(
        "as it was known by then",
        "volumes_are_those_known_at_the_moment_and_by_the_end_of_their_own_week",
        "a_partner_belongs_to_the_source_of_the_newest_lead_and_may_have_left",
        "leads_stand_twice_where_everything_that_tells_them_apart_is_the_same",
    ),
    held(
        "and again later as it was known then, in every check",
        "test_quality_again.py::test_what_is_counted_of_an_earlier_moment_is_what_was_counted_then",
    ),
    _check(
        "values that cannot be, and months unlike those before",
        "a_value_that_cannot_be_is_red_whatever_is_agreed",
        "a_month_at_minus_60_percent_is_flagged_and_silences_nothing_by_itself",
        "a_month_is_measured_by_those_before_it_and_in_its_own_currency",
    ),
    held(
        "the month at -60 percent of the real ledger is flagged before it is judged",
        "test_real_quality.py::test_the_month_at_minus_60_percent_is_flagged_before_it_is_judged",
    ),
    _check(
        "duplicates, bulk back-dated contacts, improvement beyond belief",
        "facts_that_stand_twice_count_by_their_share_and_a_pair_may_be_chance",
        "invoices_handed_in_again_are_found_in_the_parts",
        "contacts_written_down_days_later_count_by_their_share_of_those_in_time",
        "what_improves_beyond_belief_is_a_warning",
    ),
    _check("partners who vanish", "partners_who_vanish_are_named"),
    _counted("of whom nothing is heard", "a_partner_is_silent_after_three_windows_with_leads_and_one_without"),
    _check("late restatement", "a_restatement_counts_by_how_far_it_moved_the_value"),
    _counted(
        "of what is said anew, not of what is new",
        "a_contact_that_moves_is_a_restatement_and_the_value_before_it_is_known",
        "a_contact_that_comes_is_no_restatement",
        "what_was_restated_more_than_a_week_ago_or_later_than_asked_has_settled",
    ),
    _check(
        "red takes the verdict's place, and what can only flatter excuses no breach",
        "red_data_neither_pass_nor_breach",
        "what_can_only_flatter_takes_a_pass_away_and_excuses_no_breach",
        "what_is_a_breach_by_itself_is_one_on_whatever_data",
    ),
    _through(
        "a hold with the reason, and no breach counted",
        "a_feed_that_lost_most_of_its_leads_is_no_evidence_although_the_newest_are_current",
        "a_breach_on_data_that_are_not_whole_is_none_and_does_not_count",
        "a_baseline_on_red_data_has_no_value_and_the_reason",
    ),
    _through(
        "restated facts: a new assessment, and the old one stays",
        "restated_facts_lead_to_a_new_assessment_and_the_old_one_stays",
    ),
)

MOVERS = (
    held(
        "each partner's part of a change, which add up to it",
        *named(
            "judgement/test_contributions.py",
            "a_change_is_split_into_own_numbers_and_weight",
            "who_came_or_went_makes_up_a_part_too",
            "velocity_is_split_into_the_value_won_and_the_speed",
            "contributions_add_up_to_the_change_in_whatever_order_the_rows_come",
        ),
    ),
    held(
        "the facts behind it are such as the metric counts against it",
        *named(
            "test_facts_behind.py",
            "of_leads_those_that_are_late_or_overdue",
            "of_assignments_those_the_metric_counts_as_not_completed",
            "of_checks_those_that_apply_and_are_not_passed_by_a_result_in_date",
            "of_deals_the_largest_lost_in_one_currency_and_none_that_is_open_again",
            "of_transactions_those_that_leave_least_in_one_currency",
            "of_sales_those_most_was_given_away_of_in_one_currency",
            "of_funds_what_is_unbudgeted_comes_first_then_the_largest_that_is_committed",
        ),
    ),
    _through(
        "partners and facts stand in the reasons of a breach",
        "a_breach_names_who_made_it_with_their_leads_and_all_parts_add_up",
        "a_margin_that_falls_names_the_transactions",
        "what_is_a_breach_by_itself_names_whose_it_is_and_by_which_fact",
    ),
)

TRUSTED: dict[str, tuple[Sentence, ...]] = {
    "whom to compare with": COMPARISON,
    "data that mislead": TRUST,
    "who moved it": MOVERS,
}
