-- Assignments, the last one of each course first, from the index alone (docs/decisions/0083).
drop index enablement_assignment_by_partner;
create index enablement_assignment_by_partner on enablement_assignment
    (partner_id, person_id, course_id, assigned_at desc, source_id desc)
    include (course_version, due_on, previous_due_on, due_changed_at, due_changed_known_at, completed_at,
             completed_known_at, passed, prior_credit, valid_until, waived_at, waived_known_at, withdrawn_at,
             withdrawn_known_at, known_at, amended_at);

-- enablement_assignment_as_of in the order of that index: what is wanted in this order is not sorted again. A function of
-- its own, because whoever wants no order would have what was said earlier sorted for nothing.
create function enablement_assignment_in_order(moment timestamptz) returns setof enablement_assignment
language sql stable parallel safe as $$
    (
        select source_system, source_id, partner_id, person_id, course_id, assigned_at, due_on, previous_due_on,
               due_changed_at, due_changed_known_at, completed_at, completed_known_at, passed, prior_credit, valid_until,
               waived_by, waived_at, waived_known_at, withdrawn_at, withdrawn_known_at, known_at, recorded_at,
               amended_at, course_version, score
        from enablement_assignment
        where known_at <= moment and (amended_at is null or amended_at <= moment)
        order by partner_id, person_id, course_id, assigned_at desc, source_id desc
    )
    union all
    (
        select source_system, source_id, partner_id, person_id, course_id, assigned_at, due_on, previous_due_on,
               due_changed_at, due_changed_known_at, completed_at, completed_known_at, passed, prior_credit, valid_until,
               waived_by, waived_at, waived_known_at, withdrawn_at, withdrawn_known_at, known_at, recorded_at,
               amended_at, course_version, score
        from superseded.enablement_assignment
        where known_at <= moment and (amended_at is null or amended_at <= moment) and superseded_at > moment
        order by partner_id, person_id, course_id, assigned_at desc, source_id desc
    )
$$;
