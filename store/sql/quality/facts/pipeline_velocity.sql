-- The largest deals of some partners that were lost, then the slowest of those that were won, in reporting currency: what
-- has no rate comes last. Of a deal that was opened again since only its last close counts. Arguments as of
-- lead_follow_up_sla.sql.
with rate as (:rate)
select partner_id, fact
from (
    select o.partner_id, 'deal ' || o.source_id as fact,
           row_number() over (
               partition by o.partner_id
               order by o.outcome = 'lost' desc,
                        case when o.outcome = 'lost' then o.amount * rate.rate end desc nulls last,
                        o.closed_at - o.qualified_at desc nulls last, o.source_id
           ) as place
    from opportunity_as_of($3::timestamptz) o
    left join rate
        on rate.currency = o.currency
        and coalesce(rate.month = date_trunc('month', o.closed_at at time zone 'UTC')::date, true)
    where o.partner_id = any ($1::text[]) and o.closed_at >= $2::timestamptz and o.closed_at < $3
      and greatest(o.closed_at, o.closed_known_at) <= $3 and o.outcome in ('won', 'lost')
      and o.origin <> 'influenced' and o.qualified_at <= o.closed_at
      and not exists (
          select from opportunity_reopening_as_of($3) again
          where again.source_system = o.source_system and again.opportunity_id = o.source_id
            and again.reopened_at > o.closed_at and greatest(again.reopened_at, again.reopened_known_at) <= $3
      )
) as closed
where place <= $4::int
order by partner_id, place
