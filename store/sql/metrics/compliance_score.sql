-- Compliance score, 0-100 points: the weighted results of the checks that apply and are in date, as of the moment.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive; the window only counts
-- fresh results), $5 as of.
-- Numerator is the partner's score (NULL below 80 % of the applicable weight), denominator 1, facts the results
-- that count. A group is the mean over the partners with a score. Results are judged as they come from their index, by
-- small tables made once; of checks without a result there is only what all checks come to less those with one.
-- docs/decisions/0090 says what it saves.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
asked as (
    select $5::timestamptz at time zone 'UTC' as moment
),
-- Partners of one type, tier and region: the same checks apply to them.
kind as materialized (
    select (row_number() over ())::int as nth, *
    from (
        select p.type, p.tier, p.region, array_agg(p.partner_id) as partner_ids
        from partner_as_of($5) p
        cross join asked
        where p.partner_id = any ($2)
          and (p.active_from is null or p.active_from <= asked.moment)
          and (p.active_to is null or p.active_to > asked.moment)
        group by p.type, p.tier, p.region
    ) as alike
),
-- The last day is inclusive: a result expires at the midnight after it, and after the grace days. So those expired are
-- valid until last_day at most, or, where they do not say until when, from before stale. Of ever so many days some
-- thousand years are enough: dates do not reach further back.
version as materialized (
    select
        *,
        case
            when validity_days is not null
            then (last_day - least(validity_days, 1000000) + 1)::timestamp at time zone 'UTC'
        end as stale
    from (
        select c.*, asked.moment::date - least(c.grace_days, 1000000) - 1 as last_day
        from compliance_check_as_of($5) c, asked
    ) as dated
),
-- The checks in force, and to which kinds of partners each applies.
rule as materialized (
    select
        c.check_id, c.version, c.weight, c.critical, c.last_day, c.stale,
        (
            select array_agg(
                (c.types is null or k.type = any (c.types))
                and (c.tiers is null or k.tier = any (c.tiers))
                and (c.regions is null or k.region = any (c.regions))
                order by k.nth
            )
            from kind k
        ) as applies
    from (
        select distinct on (v.check_id) v.*
        from version v, asked
        where v.effective_from <= asked.moment
        order by v.check_id, v.version desc
    ) as c, asked
    where c.retired_on is null or c.retired_on > asked.moment
),
applicable as materialized (
    select k.nth, count(*) as checks, sum(c.weight) as weight, count(*) filter (where c.critical) as critical
    from kind k
    join rule c on c.applies[k.nth]
    group by k.nth
),
in_waiver as (
    select w.partner_id, array_agg(distinct w.check_id) as checks
    from compliance_waiver_as_of($5) w, asked
    where w.partner_id = any ($2)
      and w.valid_from <= asked.moment and w.valid_until + 1 > asked.moment
      and (w.revoked_at is null or greatest(w.revoked_at, w.revoked_known_at) > $5)
    group by w.partner_id
),
active as materialized (
    select k.nth, k.partner_id, w.checks as in_waiver
    from (select nth, unnest(partner_ids) as partner_id from kind) as k
    left join in_waiver w using (partner_id)
),
-- The last result stands, whatever it says: a newer inconclusive one does not bring an older pass back.
latest as (
    select distinct on (partner_id, check_id)
        partner_id, check_id, version, outcome, value::numeric as value, assessed_at, valid_until
    from compliance_result_in_order($5)
    -- Said so that no index is searched by when: it would be, check by check, at several times the cost.
    where partner_id = any ($2) and (assessed_at <= $5) is true
    order by partner_id, check_id, assessed_at desc, known_at desc, source_id desc
),
judged as (
    select
        partner_id, assessed_at, in_waiver, renewed, weight_now, critical_now,
        -- A result keeps the weight of the version it was made under, for as long as it counts.
        case when expired then weight_now else weight end as weight,
        case when expired then critical_now else critical end as critical,
        -- What it lacks of being fulfilled.
        case outcome when 'pass' then null when 'fail' then 1 else 1 - value end as lacking,
        case
            -- What does not apply needs no waiver, and is not passed by one.
            when outcome = 'not_applicable' and not expired then 0
            when in_waiver then 1
            when expired then 2
            when outcome = 'inconclusive' then 3
            else 4
        end as state
    from (
        select
            l.partner_id, l.outcome, l.value, l.assessed_at,
            l.check_id = any (p.in_waiver) as in_waiver,
            -- Of a version that nobody knows yet there is a result all the same, judged by the version in force.
            v.check_id is not null as renewed,
            c.weight as weight_now, c.critical as critical_now,
            coalesce(v.weight, c.weight) as weight, coalesce(v.critical, c.critical) as critical,
            coalesce(
                case
                    when l.valid_until is not null then l.valid_until <= coalesce(v.last_day, c.last_day)
                    when v.check_id is not null then l.assessed_at < v.stale
                    else l.assessed_at < c.stale
                end,
                false
            ) as expired
        from latest l
        join active p on p.partner_id = l.partner_id
        join rule c on c.check_id = l.check_id and c.applies[p.nth]
        -- Most results are of the version in force, and nothing is looked up for those.
        left join version v
            on v.version = case when l.version <> c.version then l.version end and v.check_id = l.check_id
        -- Here and below a step of its own: what is worked out is worked out again for each sum otherwise.
        offset 0
    ) as dated
    offset 0
),
told as (
    select
        partner_id,
        count(*) as checks,
        count(*) filter (where critical_now) as critical_now,
        sum(weight_now) filter (where state = 0) as weight_not_applicable,
        sum(weight - weight_now) filter (where renewed and state <> 0) as weight_renewed,
        sum(weight) filter (where state = 4 or state = 1) as weight_assessed,
        sum(weight * lacking) filter (where lacking is not null and state = 4) as weight_lacking,
        count(*) filter (where state = 4) as assessed,
        -- Fulfilled to no part is failed, whatever it is called.
        count(*) filter (where critical and state = 4 and lacking = 1) as critical_failed,
        count(*) filter (where critical and (state = 2 or state = 3)) as critical_unassessed,
        count(*) filter (where state = 2) as expired,
        count(*) filter (where state = 1) as waived,
        count(*) filter (where state = 3) as inconclusive,
        count(*) filter (where assessed_at >= $3::timestamptz and assessed_at < $4::timestamptz) as assessed_in_window,
        count(*) filter (where in_waiver) as in_waiver,
        sum(weight_now) filter (where in_waiver) as in_waiver_weight,
        count(*) filter (where in_waiver and critical_now) as in_waiver_critical
    from judged
    group by partner_id
),
-- What is waived, with a result or without.
excused as (
    select w.partner_id, count(*) as checks, sum(c.weight) as weight, count(*) filter (where c.critical) as critical
    from (select partner_id, nth, unnest(in_waiver) as check_id from active where in_waiver is not null) as w
    join rule c on c.check_id = w.check_id and c.applies[w.nth]
    group by w.partner_id
),
summed as (
    select
        p.partner_id,
        k.weight + coalesce(t.weight_renewed, 0) - coalesce(t.weight_not_applicable, 0) as weight_applicable,
        coalesce(t.weight_assessed, 0) + silent.weight as weight_assessed,
        coalesce(t.weight_assessed, 0) + silent.weight - coalesce(t.weight_lacking, 0) as weighted_result,
        coalesce(t.assessed, 0) + coalesce(t.waived, 0) + silent.checks as assessed,
        coalesce(t.critical_failed, 0) as critical_failed,
        k.critical - coalesce(t.critical_now, 0) - silent.critical + coalesce(t.critical_unassessed, 0)
            as critical_unassessed,
        coalesce(t.expired, 0) as expired,
        coalesce(t.waived, 0) + silent.checks as waived,
        coalesce(t.inconclusive, 0) as inconclusive,
        k.checks - coalesce(t.checks, 0) - silent.checks as not_assessed,
        coalesce(t.checks - t.assessed - t.waived - t.expired - t.inconclusive, 0) as not_applicable,
        coalesce(t.assessed_in_window, 0) as assessed_in_window
    from active p
    join applicable k using (nth)
    left join told t using (partner_id)
    left join excused e using (partner_id)
    -- Waived, and without a result.
    cross join lateral (
        select
            coalesce(e.checks, 0) - coalesce(t.in_waiver, 0) as checks,
            coalesce(e.weight, 0) - coalesce(t.in_waiver_weight, 0) as weight,
            coalesce(e.critical, 0) - coalesce(t.in_waiver_critical, 0) as critical
    ) as silent
    offset 0
),
scored as (
    select
        *,
        case when weight_assessed >= 0.8 * weight_applicable
             then 100 * weighted_result / nullif(weight_assessed, 0) end as score
    from summed
    offset 0
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
