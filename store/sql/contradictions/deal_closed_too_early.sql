-- Deals closed before they were qualified, as velocity leaves them out, or a day or more before they were registered.
-- $1 as of.
select
    o.source_system, o.source_id, o.partner_id,
    format('closed %s', to_char(o.closed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as found,
    case when o.closed_at < o.qualified_at
         then format('not before %s, when it was qualified', to_char(o.qualified_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
         else format('not before %s, when it was registered',
                     to_char(o.registered_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
    end as expected
from opportunity_as_of($1::timestamptz) o
where greatest(o.closed_at, o.closed_known_at) <= $1
  and (o.closed_at < o.qualified_at or o.closed_at <= o.registered_at - interval '24 hours')
