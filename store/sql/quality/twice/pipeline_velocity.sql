-- As for leads, of won deals: closed and qualified at the same instant, over one amount.
with suspect as materialized (
    select o.partner_id, o.closed_at
    from :facts o
    where o.partner_id = any ($2::text[]) and o.closed_at >= $3::timestamptz and o.closed_at < $4::timestamptz
      and o.outcome = 'won'
    group by o.partner_id, o.closed_at
    having count(*) > 1
),
again as (
    select partner_id, sum(same - 1) as facts
    from (
        select o.partner_id, count(*) as same
        from suspect s
        join :facts o using (partner_id, closed_at)
        where greatest(o.known_at, o.closed_known_at) <= $4 and o.outcome = 'won'
        group by o.partner_id, o.closed_at, o.qualified_at, o.amount, o.currency
        having count(*) > 1
    ) as twins
    group by partner_id
)
select m.group_no, sum(a.facts)::bigint as facts,
       (array_agg(m.partner_id order by a.facts desc, m.partner_id))[1:5] as names
from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
join again a using (partner_id)
group by m.group_no
