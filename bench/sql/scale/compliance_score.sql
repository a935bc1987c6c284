-- Compliance score, 0-100 points: the weighted results of the checks that apply and are in date, as of the moment.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive; the window only counts
-- fresh results), $5 as of.
-- Numerator is the partner's score (NULL below 80 % of the applicable weight), denominator 1, facts the results
-- that count. A group is the mean over the partners with a score.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
asked as (
    select $5::timestamptz at time zone 'UTC' as moment
),
in_force as (
    select *
    from (
        select distinct on (c.check_id) c.*
        from compliance_check_as_of($5) c, asked
        where c.effective_from <= asked.moment
        order by c.check_id, c.version desc
    ) as newest, asked
    where newest.retired_on is null or newest.retired_on > asked.moment
),
-- Looked for once, not once a check.
active as materialized (
    select p.partner_id, p.type, p.tier, p.region
    from partner_as_of($5) p
    cross join asked
    where p.partner_id = any ($2)
      and (p.active_from is null or p.active_from <= asked.moment)
      and (p.active_to is null or p.active_to > asked.moment)
),
applicable as (
    select p.partner_id, c.check_id, c.weight, c.critical
    from active p
    join in_force c
        on (c.types is null or p.type = any (c.types))
       and (c.tiers is null or p.tier = any (c.tiers))
       and (c.regions is null or p.region = any (c.regions))
),
-- The last result stands, whatever it says: a newer inconclusive one does not bring an older pass back.
latest as (
    select distinct on (r.partner_id, r.check_id)
        r.partner_id, r.check_id, r.outcome, r.assessed_at, c.weight, c.critical,
        case r.outcome when 'pass' then 1 when 'fail' then 0 else r.value end as value,
        -- The last day is inclusive: the result expires at the midnight after it, and after the grace days.
        coalesce(
            (coalesce(r.valid_until, (r.assessed_at at time zone 'UTC')::date + made.validity_days) + made.grace_days + 1)
                <= asked.moment,
            false
        ) as expired
    from compliance_result_as_of($5) r
    cross join asked
    -- Of a version that nobody knows yet there is a result all the same, judged by the version in force.
    left join compliance_check_as_of($5) c on c.check_id = r.check_id and c.version = r.version
    left join in_force on in_force.check_id = r.check_id
    cross join lateral (
        select case when c.check_id is null then in_force.validity_days else c.validity_days end as validity_days,
               coalesce(c.grace_days, in_force.grace_days) as grace_days
    ) as made
    where r.partner_id = any ($2) and r.assessed_at <= $5
    order by r.partner_id, r.check_id, r.assessed_at desc, r.known_at desc, r.source_id desc
),
in_waiver as (
    select distinct w.partner_id, w.check_id
    from compliance_waiver_as_of($5) w, asked
    where w.partner_id = any ($2)
      and w.valid_from <= asked.moment and w.valid_until + 1 > asked.moment
      and (w.revoked_at is null or greatest(w.revoked_at, w.revoked_known_at) > $5)
),
judged as (
    select
        a.partner_id, l.value, l.outcome, l.assessed_at,
        -- A result keeps the weight of the version it was made under, for as long as it counts.
        case when l.expired then a.critical else coalesce(l.critical, a.critical) end as critical,
        case when l.expired then a.weight else coalesce(l.weight, a.weight) end as weight,
        case
            -- What does not apply needs no waiver, and is not passed by one.
            when l.outcome = 'not_applicable' and not l.expired then l.outcome
            when w.check_id is not null then 'waived'
            when l.check_id is null then 'not_assessed'
            when l.expired then 'expired'
            when l.outcome = 'inconclusive' then l.outcome
            else 'assessed'
        end as state
    from applicable a
    left join latest l using (partner_id, check_id)
    left join in_waiver w using (partner_id, check_id)
),
summed as (
    select
        partner_id,
        coalesce(sum(weight) filter (where state <> 'not_applicable'), 0) as weight_applicable,
        coalesce(sum(weight) filter (where state in ('assessed', 'waived')), 0) as weight_assessed,
        coalesce(sum(weight * case state when 'waived' then 1 else value end)
                 filter (where state in ('assessed', 'waived')), 0) as weighted_result,
        count(*) filter (where state in ('assessed', 'waived')) as assessed,
        count(*) filter (where state = 'assessed' and critical and value = 0) as critical_failed,
        count(*) filter (where critical and state in ('not_assessed', 'expired', 'inconclusive'))
            as critical_unassessed,
        count(*) filter (where state = 'expired') as expired,
        count(*) filter (where state = 'waived') as waived,
        count(*) filter (where state = 'inconclusive') as inconclusive,
        count(*) filter (where state = 'not_assessed') as not_assessed,
        count(*) filter (where state = 'not_applicable') as not_applicable,
        count(*) filter (where assessed_at >= $3::timestamptz and assessed_at < $4::timestamptz)
            as assessed_in_window
    from judged
    group by partner_id
),
scored as (
    select
        *,
        case when weight_assessed >= 0.8 * weight_applicable
             then 100 * weighted_result / nullif(weight_assessed, 0) end as score
    from summed
)
select
    m.group_no,
    s.partner_id,
    s.score::float8 as numerator,
    case when s.score is not null then 1::float8 end as denominator,
    s.assessed as facts,
    s.weight_applicable::float8 as weight_applicable,
    s.weight_assessed::float8 as weight_assessed,
    s.weighted_result::float8 as weighted_result,
    s.critical_failed,
    s.critical_unassessed,
    s.expired,
    s.waived,
    s.inconclusive,
    s.not_assessed,
    s.not_applicable,
    s.assessed_in_window
from member m
join scored s using (partner_id)
order by m.group_no, s.partner_id
