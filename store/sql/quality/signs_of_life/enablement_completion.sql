-- The newest day on which each source told of anything that happened to assignments of a group's partners, as of $3.
-- $1 group numbers, $2 partner ids beside them.
select m.group_no, f.source_system,
       max(greatest(
           f.assigned_at,
           case when greatest(f.completed_at, f.completed_known_at) <= $3 then f.completed_at end,
           case when greatest(f.waived_at, f.waived_known_at) <= $3 then f.waived_at end,
           case when greatest(f.withdrawn_at, f.withdrawn_known_at) <= $3 then f.withdrawn_at end
       ))::date as through
from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
join enablement_assignment_as_of($3::timestamptz) f using (partner_id)
where f.assigned_at <= $3
group by m.group_no, f.source_system
