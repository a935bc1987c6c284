-- Pipeline velocity, reporting currency per day: opportunities x win rate x average won value / mean cycle,
-- over the opportunities closed in the window. Written with sums: won x won value / sum of won cycle days.
-- $1 group numbers, $2 partner ids beside them, $3 window start, $4 window end (exclusive), $5 as of.
-- Numerator is the won value, denominator the mean cycle in days, facts the closed (won or lost) opportunities;
-- a group is computed from the summed parts. Parts named cycle_*, window_days and immature are the whole group's.
with member as (
    select * from unnest($1::int[], $2::text[]) as asked (group_no, partner_id)
),
rate as (
    select f.currency, f.month, f.rate
    from fx_rate_as_of($5::timestamptz) f
    join reporting_currency r on r.currency = f.reporting_currency
),
-- The last close known, where the deal has not been reopened since.
seen as (
    select
        o.partner_id, o.origin, o.currency, o.last_activity_at,
        case when o.qualified_at <= $5 then o.qualified_at end as qualified_at,
        coalesce(last.closed_at, earlier.closed_at) as closed_at,
        coalesce(last.outcome, earlier.outcome) as outcome,
        case when last.outcome is not null then o.amount else earlier.amount end as amount
    from opportunity_as_of($5) o
    left join lateral (
        select o.closed_at, o.outcome
        where greatest(o.closed_at, o.closed_known_at) <= $5
    ) as last on true
    left join lateral (
        select r.closed_at, r.outcome, r.amount
        from opportunity_reopening_as_of($5) r
        where r.source_system = o.source_system and r.opportunity_id = o.source_id
          and greatest(r.closed_at, r.closed_known_at) <= $5
          and greatest(r.reopened_at, r.reopened_known_at) > $5
        order by r.closed_at desc
        limit 1
    ) as earlier on true
    where o.partner_id = any ($2)
),
deal as (
    select
        s.partner_id, s.qualified_at, s.last_activity_at, s.closed_at,
        case
            when s.origin = 'influenced' then 'influenced'
            when s.outcome in ('cancelled', 'duplicate') then s.outcome
            when s.qualified_at is null then 'unqualified'
            when s.closed_at < s.qualified_at then 'invalid'
            else coalesce(s.outcome, 'open')
        end as state,
        s.closed_at >= $3::timestamptz and s.closed_at < $4::timestamptz as in_window,
        greatest(extract(epoch from s.closed_at - s.qualified_at) / 86400, 1) as cycle_days,
        s.amount * case when s.currency = home.currency then 1 else rate.rate end as value
    from seen s
    cross join reporting_currency home
    left join rate
        on rate.currency = s.currency and rate.month = date_trunc('month', s.closed_at at time zone 'UTC')::date
),
-- Of the whole group: how long its deals take, and what is stale by that measure.
cycles as (
    select
        m.group_no,
        percentile_cont(0.75) within group (order by d.cycle_days) filter (where d.state = 'won') as won_p75,
        percentile_cont(0.5) within group (order by d.cycle_days) filter (where d.state = 'won' and d.in_window)
            as won_median,
        -- Of fewer than a hundred deals the 99th percentile is just the slowest one.
        case when count(*) >= 100 then percentile_cont(0.99) within group (order by d.cycle_days) end as closed_p99
    from member m
    join deal d using (partner_id)
    where d.state in ('won', 'lost')
    group by m.group_no
),
-- Idle for 60 days, or older than nearly every deal that ever closed.
stale as (
    select m.group_no, d.partner_id, count(*) as deals
    from member m
    join deal d using (partner_id)
    left join cycles using (group_no)
    where d.state = 'open' and (
        coalesce(case when d.last_activity_at <= $5 then d.last_activity_at end, d.qualified_at)
            < $5 - interval '60 days'
        or extract(epoch from $5 - d.qualified_at) / 86400 > cycles.closed_p99)
    group by m.group_no, d.partner_id
),
summed as (
    select
        partner_id,
        count(*) filter (where state in ('won', 'lost') and in_window) as closed,
        count(*) filter (where state = 'won' and in_window) as won,
        count(*) filter (where state = 'lost' and in_window) as lost,
        count(*) filter (where state = 'won' and in_window and value is null) as missing_fx,
        coalesce(sum(value) filter (where state = 'won' and in_window), 0) as won_value,
        coalesce(sum(cycle_days) filter (where state = 'won' and in_window), 0) as cycle_days,
        count(*) filter (where state = 'open') as open,
        count(*) filter (where state = 'unqualified' and (in_window or closed_at is null)) as unqualified,
        count(*) filter (where state = 'cancelled' and in_window) as cancelled,
        count(*) filter (where state = 'duplicate' and in_window) as duplicate,
        count(*) filter (where state = 'influenced' and in_window) as influenced,
        count(*) filter (where state = 'invalid' and in_window) as invalid
    from deal
    group by partner_id
)
select
    m.group_no,
    s.partner_id,
    s.won_value::float8 as numerator,
    (s.cycle_days / nullif(s.won, 0))::float8 as denominator,
    s.closed as facts,
    s.closed as opportunities,
    s.won,
    s.lost,
    s.won_value::float8 as won_value,
    s.cycle_days::float8 as cycle_days,
    s.open,
    coalesce(stale.deals, 0) as stale_open,
    s.unqualified,
    s.cancelled,
    s.duplicate,
    s.influenced,
    s.invalid,
    s.missing_fx,
    cycles.won_p75 as cycle_p75_days,
    cycles.won_median as cycle_median_days,
    length.days::float8 as window_days,
    -- A window shorter than most cycles only shows the fast deals.
    case when length.days < cycles.won_p75 then 1 else 0 end as immature
from member m
join summed s using (partner_id)
left join cycles using (group_no)
left join stale using (group_no, partner_id)
cross join (select extract(epoch from $4::timestamptz - $3::timestamptz) / 86400 as days) as length
order by m.group_no, s.partner_id
