-- Results of checks, the last of each check first, from the index alone (docs/decisions/0076).
drop index compliance_result_latest;
create index compliance_result_latest on compliance_result
    (partner_id, check_id, assessed_at desc, known_at desc, source_id desc)
    include (outcome, value, version, valid_until, amended_at);

-- compliance_result_as_of in the order of that index: what is wanted in this order is not sorted again. A function of its
-- own, because whoever wants no order would have what was said earlier sorted for nothing. That a row is known is said
-- so that the index is not searched by it, check by check.
create function compliance_result_in_order(moment timestamptz) returns setof compliance_result
language sql stable parallel safe as $$
    (
        select source_system, source_id, partner_id, check_id, version, outcome, value, assessed_at, valid_until,
               assessor, evidence_ref, known_at, recorded_at, amended_at
        from compliance_result
        where (known_at <= moment) is true and (amended_at is null or amended_at <= moment)
        order by partner_id, check_id, assessed_at desc, known_at desc, source_id desc
    )
    union all
    (
        select source_system, source_id, partner_id, check_id, version, outcome, value, assessed_at, valid_until,
               assessor, evidence_ref, known_at, recorded_at, amended_at
        from superseded.compliance_result
        where known_at <= moment and (amended_at is null or amended_at <= moment) and superseded_at > moment
        order by partner_id, check_id, assessed_at desc, known_at desc, source_id desc
    )
$$;
