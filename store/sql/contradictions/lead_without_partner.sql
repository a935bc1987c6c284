-- Leads assigned a day or more before their partner's first day, or after its last. Whose day is meant is said nowhere:
-- that is what the day is left for. $1 as of.
select
    l.source_system, l.source_id, l.partner_id,
    format('assigned %s', to_char(l.assigned_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as found,
    case when l.assigned_at >= (p.active_to + 1)::timestamp at time zone 'UTC'
         then format('before %s, when the partner left', p.active_to)
         else format('from %s on, the partner''s first day', p.active_from)
    end as expected
from lead_as_of($1::timestamptz) l
join partner_as_of($1) p using (partner_id)
where (l.assigned_at >= (p.active_to + 1)::timestamp at time zone 'UTC'
       or l.assigned_at < (p.active_from - 1)::timestamp at time zone 'UTC')
  and l.assigned_at <= $1
  and coalesce(greatest(l.excluded_at, l.excluded_known_at) > $1, true)
