-- Compliance score, 0-100 points: the weighted results of the checks that apply and are in date, as of the moment.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive; the window only counts
-- fresh results), $5 as of.
-- Numerator is the partner's score (NULL below 80 % of the applicable weight), denominator 1, facts the results
-- that count. A group is the mean over the partners with a score. Weighed partner by partner: a cohort has ten thousands
-- of results, a partner some dozens, and what each of them needs then lies at hand. docs/decisions/0076 says what it saves.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
asked as (
    select $5::timestamptz at time zone 'UTC' as moment
),
in_force as materialized (
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
version as materialized (
    select check_id, version, weight, critical, validity_days, grace_days from compliance_check_as_of($5)
),
-- The last result stands, whatever it says: a newer inconclusive one does not bring an older pass back.
latest as (
    select partner_id, array_agg(row(check_id, version, outcome, value, assessed_at, valid_until)) as results
    from (
        select distinct on (partner_id, check_id)
            partner_id, check_id, version, outcome, value::numeric as value, assessed_at, valid_until
        from compliance_result_in_order($5)
        -- Said so that no index is searched by when: it would be, check by check, at several times the cost.
        where partner_id = any ($2) and (assessed_at <= $5) is true
        order by partner_id, check_id, assessed_at desc, known_at desc, source_id desc
    ) as last
    group by partner_id
),
in_waiver as (
    select w.partner_id, array_agg(w.check_id) as checks
    from compliance_waiver_as_of($5) w, asked
    where w.partner_id = any ($2)
      and w.valid_from <= asked.moment and w.valid_until + 1 > asked.moment
      and (w.revoked_at is null or greatest(w.revoked_at, w.revoked_known_at) > $5)
    group by w.partner_id
),
summed as (
    select p.partner_id, s.*
    from (
        select * from active left join latest using (partner_id) left join in_waiver using (partner_id)
    ) as p
    cross join lateral (
        select
            count(*) as applicable,
            coalesce(sum(weight) filter (where state <> 'not_applicable'), 0) as weight_applicable,
            coalesce(sum(weight) filter (where state in ('assessed', 'waived')), 0) as weight_assessed,
            coalesce(sum(weight * case state when 'waived' then 1 else value end)
                     filter (where state in ('assessed', 'waived')), 0) as weighted_result,
            count(*) filter (where state in ('assessed', 'waived')) as assessed,
            -- Fulfilled to no part is failed, whatever it is called.
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
        from (
            select
                value, outcome, assessed_at,
                -- A result keeps the weight of the version it was made under, for as long as it counts.
                case when expired then critical_now else coalesce(critical, critical_now) end as critical,
                case when expired then weight_now else coalesce(weight, weight_now) end as weight,
                case
                    -- What does not apply needs no waiver, and is not passed by one.
                    when outcome = 'not_applicable' and not expired then outcome
                    when check_id = any (p.checks) then 'waived'
                    when outcome is null then 'not_assessed'
                    when expired then 'expired'
                    when outcome = 'inconclusive' then outcome
                    else 'assessed'
                end as state
            from (
                select
                    c.check_id, c.types, c.tiers, c.regions, c.weight as weight_now, c.critical as critical_now,
                    r.outcome, r.assessed_at, r.weight, r.critical,
                    case r.outcome when 'pass' then 1 when 'fail' then 0 else r.value end as value,
                    -- The last day is inclusive: the result expires at the midnight after it, and after the grace
                    -- days. Of a version that nobody knows yet there is a result all the same, judged by the version
                    -- in force.
                    coalesce(
                        (coalesce(
                            r.valid_until,
                            (r.assessed_at at time zone 'UTC')::date
                                + case when r.known then r.validity_days else c.validity_days end
                         ) + coalesce(r.grace_days, c.grace_days) + 1) <= (select moment from asked),
                        false
                    ) as expired
                from in_force c
                left join (
                    select one.*, v.check_id is not null as known, v.weight, v.critical, v.validity_days, v.grace_days
                    from unnest(p.results) as one (
                        check_id text, version integer, outcome text, value numeric, assessed_at timestamptz,
                        valid_until date
                    )
                    left join version v on v.check_id = one.check_id and v.version = one.version
                    -- Here and below a step of its own: joined otherwise, what is looked up is sorted into a table
                    -- again for each partner, and what is worked out is worked out again for each sum.
                    offset 0
                ) as r on r.check_id = c.check_id
                offset 0
            ) as dated
            where (types is null or p.type = any (types))
              and (tiers is null or p.tier = any (tiers))
              and (regions is null or p.region = any (regions))
            offset 0
        ) as judged
    ) as s
    where s.applicable > 0
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
