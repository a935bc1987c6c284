-- Of each group the leads of the window that stand there again: created and assigned at the same instant, of one
-- class and due at one time. $1 group numbers, $2 partner ids beside them, $3 window start, $4 as of, $14 the partners
-- among whose leads there may be some. :facts are the leads; store/quality.py fills them in.
with suspect as materialized (
    select l.partner_id, l.assigned_at
    from :facts l
    where l.partner_id = any ($14::text[]) and l.assigned_at >= $3::timestamptz and l.assigned_at < $4::timestamptz
      and l.known_at <= $4 and coalesce(greatest(l.excluded_at, l.excluded_known_at) > $4, true)
    group by l.partner_id, l.assigned_at
    having count(*) > 1
),
again as (
    select partner_id, sum(same - 1) as facts
    from (
        select l.partner_id, count(*) as same
        from suspect s
        join :facts l using (partner_id, assigned_at)
        where l.known_at <= $4 and coalesce(greatest(l.excluded_at, l.excluded_known_at) > $4, true) and l.created_at is not null
        group by l.partner_id, l.assigned_at, l.created_at, l.class, l.contact_due_at
        having count(*) > 1
    ) as twins
    group by partner_id
)
select m.group_no, sum(a.facts)::bigint as facts,
       (array_agg(m.partner_id order by a.facts desc, m.partner_id))[1:5] as names
from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
join again a using (partner_id)
group by m.group_no
