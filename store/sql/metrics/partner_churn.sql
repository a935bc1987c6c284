-- Partner churn, percent: partners lost in the window / partners at its start.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive), $5 as of.
-- Whoever was a partner at the window's start is in the denominator, and stays in it: leaving does not take them out.
-- A partner leaves at the midnight UTC that begins active_to. Who leaves at the stroke of the end was a partner all
-- the window through and is lost in it, so that windows one after the other count every loss once. Nobody is lost
-- before it has happened, also where it is known ahead. Facts are the partners at the start.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
tenure as (
    select
        p.partner_id,
        p.active_from::timestamp at time zone 'UTC' as came_at,
        p.active_to::timestamp at time zone 'UTC' as left_at
    from partner_as_of($5::timestamptz) p
    where p.partner_id = any ($2)
),
placed as (
    select
        partner_id,
        coalesce(came_at <= $3::timestamptz, true) and coalesce(left_at > $3, true) as at_start,
        coalesce(left_at <= least($4::timestamptz, $5), false) as gone,
        came_at > $3 and came_at < $4 and came_at <= $5 as joined
    from tenure
)
select
    m.group_no,
    p.partner_id,
    (p.at_start and p.gone)::int::float8 as numerator,
    p.at_start::int::float8 as denominator,
    p.at_start::int as facts,
    p.at_start::int as at_start,
    (p.at_start and p.gone)::int as lost,
    coalesce(p.joined, false)::int as joined,
    (p.gone and not p.at_start and not coalesce(p.joined, false))::int as left_before
from member m
join placed p using (partner_id)
order by m.group_no, p.partner_id
