-- The largest deals of some partners that were lost, then the slowest of those that were won. Arguments as of leads.
select partner_id, fact
from (
    select o.partner_id, 'deal ' || o.source_id as fact,
           row_number() over (
               partition by o.partner_id
               order by o.outcome = 'lost' desc, case when o.outcome = 'lost' then o.amount end desc nulls last,
                        o.closed_at - o.qualified_at desc nulls last, o.source_id
           ) as place
    from opportunity_as_of($3::timestamptz) o
    where o.partner_id = any ($1::text[]) and o.closed_at >= $2::timestamptz and o.closed_at < $3
      and greatest(o.closed_at, o.closed_known_at) <= $3 and o.outcome in ('won', 'lost')
      and o.origin <> 'influenced' and o.qualified_at <= o.closed_at
) as closed
where place <= $4::int
order by partner_id, place
