-- The newest day on which each source told of anything that happened to claims or requests of a group's partners, as of
-- $3. $1 group numbers, $2 partner ids beside them.
select m.group_no, f.source_system, max(f.at)::date as through
from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
join (
    select c.partner_id, c.source_system,
           greatest(
               c.submitted_at,
               case when greatest(c.decided_at, c.decided_known_at) <= $3 then c.decided_at end,
               case when greatest(c.paid_at, c.paid_known_at) <= $3 then c.paid_at end,
               case when greatest(c.withdrawn_at, c.withdrawn_known_at) <= $3 then c.withdrawn_at end
           ) as at
    from mdf_claim_as_of($3::timestamptz) c
    where c.submitted_at <= $3
    union all
    select r.partner_id, r.source_system,
           greatest(
               r.submitted_at,
               case when greatest(r.decided_at, r.decided_known_at) <= $3 then r.decided_at end,
               case when greatest(r.released_at, r.released_known_at) <= $3 then r.released_at end
           ) as at
    from mdf_request_as_of($3::timestamptz) r
    where r.submitted_at <= $3
) as f using (partner_id)
group by m.group_no, f.source_system
