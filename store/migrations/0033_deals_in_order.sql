-- Deals partner by partner, with all that pipeline velocity asks of them, from the index alone (docs/decisions/0084).
drop index opportunity_by_close;
create index opportunity_by_close on opportunity (partner_id, closed_at)
    include (qualified_at, outcome, amount, currency, known_at, closed_known_at, amended_at, origin, last_activity_at,
             source_system, source_id);

-- opportunity_as_of in the order of that index: what is wanted by partner is not sorted again, as
-- compliance_result_in_order does for results.
create function opportunity_in_order(moment timestamptz) returns setof opportunity
language sql stable parallel safe as $$
    (
        select source_system, source_id, partner_id, origin, registered_at, qualified_at, last_activity_at, closed_at,
               closed_known_at, outcome, amount, currency, known_at, recorded_at, amended_at
        from opportunity
        where known_at <= moment and (amended_at is null or amended_at <= moment)
        order by partner_id
    )
    union all
    (
        select source_system, source_id, partner_id, origin, registered_at, qualified_at, last_activity_at, closed_at,
               closed_known_at, outcome, amount, currency, known_at, recorded_at, amended_at
        from superseded.opportunity
        where known_at <= moment and (amended_at is null or amended_at <= moment) and superseded_at > moment
        order by partner_id
    )
$$;
