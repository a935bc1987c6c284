-- The assignments of some partners that are due and not completed, the longest due first. Arguments as of leads.
select partner_id, fact
from (
    select a.partner_id, 'assignment ' || a.source_id as fact,
           row_number() over (partition by a.partner_id order by a.due_on, a.source_id) as place
    from enablement_assignment_as_of($3::timestamptz) a
    where a.partner_id = any ($1::text[]) and $2::timestamptz is not null
      and (a.due_on + 1)::timestamp at time zone 'UTC' <= $3
      and not coalesce(a.passed and greatest(a.completed_at, a.completed_known_at) <= $3
                       and (a.valid_until is null or a.valid_until + 1 > $3 at time zone 'UTC'), false)
      and not coalesce(greatest(a.waived_at, a.waived_known_at) <= $3, false)
      and not coalesce(greatest(a.withdrawn_at, a.withdrawn_known_at) <= $3, false)
) as missing
where place <= $4::int
order by partner_id, place
