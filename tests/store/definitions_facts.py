"""What the field says of facts, their lives and how they come in, sentence by sentence, and which test holds each."""

from __future__ import annotations

from tests.store.definitions_of import Sentence, held, named


def _mdf(says: str, *names: str) -> Sentence:
    return held(says, *named("test_lifecycle_mdf.py", *names))


def _life(says: str, *names: str) -> Sentence:
    return held(says, *named("test_lifecycles.py", *names))


def _deadline(says: str, *names: str) -> Sentence:
    return held(says, *named("test_deadlines.py", *names))


LIVES = (
    _mdf(
        "request, reservation, claim with proof, approval, payment; each approved in part",
        "a_request_approved_in_part_is_claimed_with_proof_approved_in_part_and_paid",
        "several_claims_settle_a_request_with_the_last_one",
    ),
    _mdf("co-pay first", "copay_is_taken_before_the_approval_bounds_a_claim"),
    _mdf(
        "rejection of either",
        "a_request_that_is_rejected_reserves_nothing",
        "a_claim_that_is_rejected_leaves_the_reservation_until_claims_close",
    ),
    _mdf(
        "cancelling, expiry and taking back at each step",
        "a_reservation_given_back_is_available_again_from_when_that_is_known",
        "a_claim_taken_back_frees_what_was_owed_and_the_reservation_stands_again",
        "a_reservation_nobody_claims_expires_with_the_deadline_and_a_late_claim_needs_a_name",
    ),
    held(
        "what is spent of another partner's allocation is in nobody's sums unseen",
        *named(
            "test_metric_mdf_others.py",
            "what_is_promised_from_another_partners_allocation_is_unbudgeted",
            "a_claim_on_another_partners_request_is_unbudgeted_and_leaves_its_reservation",
        ),
    ),
    _life("assign, accept, contact", "a_lead_is_assigned_accepted_contacted_and_corrected"),
    _life("rejection and reassignment", "a_lead_turned_down_goes_to_another_partner_whose_clock_starts_anew"),
    _life("recall, duplicates, junk", "a_lead_taken_out_is_out_from_when_it_is_known"),
    _life("what happened to a lead one by one", "what_happened_to_a_lead_is_kept_event_by_event"),
    held(
        "whether leads are accepted in time",
        *named(
            "test_metric_acceptance.py",
            "every_state_is_told_apart_and_only_decided_leads_count",
            "the_first_answer_counts_whichever_it_is",
            "taken_away_unanswered_in_time_releases_the_first_partner_but_not_after_the_deadline",
            "a_correction_counts_from_when_it_was_made_and_the_past_reads_as_it_stood",
            "agrees_with_the_definition_written_a_second_time",
        ),
    ),
    _life("completion, failure, expiry, recertification", "a_course_is_completed_lapses_and_is_taken_again"),
    _life("waiver, withdrawal, another due day", "an_assignment_is_waived_withdrawn_or_moved_from_when_that_is_known"),
    _life("courses have versions", "a_course_of_a_newer_version_keeps_older_certificates_as_they_were"),
    _life(
        "severity, weight, validity, version, waiver, not applicable, inconclusive, part",
        "a_check_fails_is_waived_repaired_and_lapses",
        "a_check_of_critical_severity_is_critical_unless_its_source_says_otherwise",
    ),
    _life(
        "returns, credits, credit shares, accrued rebates, dated rates",
        "a_sale_is_shared_costed_returned_credited_and_its_rebate_accrued",
    ),
    _life("stages, win, reopening, loss, cancelling", "a_deal_goes_through_its_stages_is_won_reopened_and_lost"),
    _life("tier, calendar and leaving of a partner", "a_partner_is_what_it_was_known_to_be"),
)

BITEMPORAL = (
    held(
        "every fact has when it happened and when it was learnt; history as of stays answerable",
        "test_amendments.py::test_every_table_of_facts_keeps_what_it_said_before",
        "test_amendments.py::test_no_metric_reads_a_table_of_facts_past_what_was_known",
        "test_amendments.py::test_each_of_several_versions_stands_in_its_own_time",
        "test_events_taking.py::test_what_was_read_as_of_a_moment_reads_the_same_ever_after",
    ),
    held(
        "corrections supersede, by file",
        *named(
            "test_intake_amendments.py",
            "live_a_correction_counts_from_the_import_that_brought_it",
            "live_a_contact_taken_back_was_there_until_then",
            "history_that_was_loaded_wrongly_is_put_right_for_the_past_too",
        ),
    ),
    held(
        "and by event, also such as never happened",
        "console/test_events.py::test_a_correction_supersedes_and_what_was_known_before_stays_known_as_of_then",
        *named(
            "test_events_taking_back.py",
            "a_contact_that_never_was_is_none_from_then_on_and_was_one_before",
            "a_fact_is_what_it_was_without_what_is_taken_back",
            "whatever_changes_a_fact_can_be_taken_back",
        ),
    ),
)

CALENDARS = (
    _deadline(
        "hours in the partner's zone; after hours begins at the next opening",
        "a_lead_without_deadlines_gets_those_of_the_policy_in_the_partners_hours",
        "a_lead_that_comes_after_hours_starts_at_the_next_opening",
    ),
    _deadline(
        "holidays of the library, whose version is kept with them",
        "public_holidays_are_closed_unless_the_calendar_opens_them_and_stored_for_good",
        "public_holidays_stored_earlier_stand_whatever_the_library_says_now",
    ),
    _deadline(
        "reckoned once, and stored with the policy's version",
        "a_later_calendar_or_policy_moves_no_deadline",
        "deadlines_of_the_source_are_its_own",
        "the_policy_in_force_on_the_day_decides_unless_the_lead_names_one",
    ),
    _deadline(
        "states that stop the clock, to a limit",
        "a_pause_moves_the_deadline_by_the_hours_it_took_from_when_it_is_known",
        "pauses_that_overlap_count_once_and_all_together_to_the_limit",
        "a_pause_that_was_another_leads_after_all_is_given_back",
    ),
    held(
        "daylight saving as a slow walk along the clock has it",
        *named(
            "models/test_calendar.py",
            "time_measured_is_the_minutes_a_walk_counts",
            "time_added_ends_where_a_walk_ends",
            "around_every_turn_of_a_clock_the_walk_agrees",
        ),
        "models/test_deadline.py::test_a_moved_deadline_is_where_a_walk_that_stands_while_paused_ends",
    ),
)

INTAKE = (
    held(
        "CSV with a mapping for every kind",
        "test_intake_kinds.py::test_every_table_of_facts_can_be_imported",
        "test_intake_kinds.py::test_a_kind_has_exactly_its_tables_columns",
        "test_intake_fuzz.py::test_whatever_a_file_of_leads_holds",
        "test_intake_fuzz.py::test_whatever_a_file_of_sales_holds",
    ),
    held(
        "events: idempotent by id and version, in any order, nothing half taken",
        "test_events_taking.py::test_however_events_are_cut_ordered_and_repeated_the_same_facts_come_of_them",
        "test_events_taking.py::test_nothing_of_a_batch_is_left_when_it_fails_in_its_last_step",
        "test_events_folding.py::test_the_order_and_the_repetition_of_events_make_no_difference",
        "test_events_folding.py::test_an_event_that_is_taken_back_leaves_the_fact_that_the_others_make",
        "console/test_fuzz.py::test_events_of_every_kind_are_taken_whole_or_refused_without_a_trace",
    ),
    held(
        "by a key for one source; refused with field and reason",
        "console/test_requests.py::test_nobody_sends_without_a_key_that_is_in_force",
        "console/test_requests.py::test_a_key_opens_its_own_source_and_no_other",
        "console/test_events.py::test_what_an_event_must_not_say_is_refused_by_its_field",
    ),
    Sentence(
        "events for what is agreed and seldom changes: partners, calendars, funds, courses, checks, rates",
        left_out="files bring it; an event that names what is not known is refused by name",
    ),
    held(
        "made-up facts of any size, seeded, in nearly every state",
        *named(
            "test_world.py",
            "a_seed_gives_the_same_world_and_another_seed_another",
            "every_state_of_a_fact_is_in_the_world",
            "what_a_usual_world_lacks_is_named",
            "more_partners_leave_the_facts_of_the_others_as_they_were",
            "a_portion_holds_a_bounded_number_of_rows",
        ),
    ),
    held(
        "through when, rows, rejects and lag of each source",
        *named(
            "test_intake_standing.py",
            "a_source_reaches_as_far_as_its_latest_event",
            "a_source_is_late_beyond_its_bound_and_amber_from_half_of_it",
            "rejected_rows_and_a_refused_file_are_amber_until_a_good_file_comes",
        ),
        "cli/test_data.py::test_status_says_how_far_each_source_reaches_and_which_is_late",
    ),
    held(
        "a roll-up never disagrees with its facts, under writers who correct and fail",
        "test_quality.py::test_the_days_of_facts_are_those_of_the_facts_under_writers_who_correct_and_fail",
    ),
)

FACTS: dict[str, tuple[Sentence, ...]] = {
    "lives of facts": LIVES,
    "two times of facts": BITEMPORAL,
    "calendars": CALENDARS,
    "intake": INTAKE,
}
