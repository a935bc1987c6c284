-- Pipeline velocity, reporting currency per day: opportunities x win rate x average won value / mean cycle,
-- over the opportunities closed in the window. Written with sums: won x won value / sum of won cycle days.
-- $1 partner ids, $2 window start, $3 window end (exclusive), $4 as of.
-- Numerator is the won value, denominator the mean cycle in days, facts the closed (won or lost) opportunities;
-- a group is computed from the summed parts. Parts named cycle_*, window_days and immature are the whole group's.
with rate as (
    select f.currency, f.month, f.rate
    from fx_rate_as_of($4::timestamptz) f
    join reporting_currency r on r.currency = f.reporting_currency
),
-- The last close known, where the deal has not been reopened since.
seen as (
    select
        o.partner_id, o.origin, o.currency, o.last_activity_at,
        case when o.qualified_at <= $4 then o.qualified_at end as qualified_at,
        coalesce(last.closed_at, earlier.closed_at) as closed_at,
        coalesce(last.outcome, earlier.outcome) as outcome,
        case when last.outcome is not null then o.amount else earlier.amount end as amount
    from opportunity_as_of($4) o
    left join lateral (
        select o.closed_at, o.outcome
        where greatest(o.closed_at, o.closed_known_at) <= $4
    ) as last on true
    left join lateral (
        select r.closed_at, r.outcome, r.amount
        from opportunity_reopening_as_of($4) r
        where r.source_system = o.source_system and r.opportunity_id = o.source_id
          and greatest(r.closed_at, r.closed_known_at) <= $4
          and greatest(r.reopened_at, r.reopened_known_at) > $4
        order by r.closed_at desc
        limit 1
    ) as earlier on true
    where o.partner_id = any ($1::text[])
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
        s.closed_at >= $2::timestamptz and s.closed_at < $3::timestamptz as in_window,
        greatest(extract(epoch from s.closed_at - s.qualified_at) / 86400, 1) as cycle_days,
        s.amount * case when s.currency = home.currency then 1 else rate.rate end as value
    from seen s
    cross join reporting_currency home
    left join rate
        on rate.currency = s.currency and rate.month = date_trunc('month', s.closed_at at time zone 'UTC')::date
),
cycles as (
    select
        percentile_cont(0.75) within group (order by cycle_days) filter (where state = 'won') as won_p75,
        percentile_cont(0.5) within group (order by cycle_days) filter (where state = 'won' and in_window) as won_median,
        -- Of fewer than a hundred deals the 99th percentile is just the slowest one.
        case when count(*) >= 100 then percentile_cont(0.99) within group (order by cycle_days) end as closed_p99,
        extract(epoch from $3::timestamptz - $2::timestamptz) / 86400 as window_days
    from deal
    where state in ('won', 'lost')
),
summed as (
    select
        d.partner_id,
        count(*) filter (where state in ('won', 'lost') and in_window) as closed,
        count(*) filter (where state = 'won' and in_window) as won,
        count(*) filter (where state = 'lost' and in_window) as lost,
        count(*) filter (where state = 'won' and in_window and value is null) as missing_fx,
        coalesce(sum(value) filter (where state = 'won' and in_window), 0) as won_value,
        coalesce(sum(cycle_days) filter (where state = 'won' and in_window), 0) as cycle_days,
        count(*) filter (where state = 'open') as open,
        -- Idle for 60 days, or older than nearly every deal that ever closed.
        count(*) filter (where state = 'open' and (
            coalesce(case when last_activity_at <= $4 then last_activity_at end, qualified_at) < $4 - interval '60 days'
            or extract(epoch from $4 - qualified_at) / 86400 > cycles.closed_p99)) as stale_open,
        count(*) filter (where state = 'unqualified' and (in_window or closed_at is null)) as unqualified,
        count(*) filter (where state = 'cancelled' and in_window) as cancelled,
        count(*) filter (where state = 'duplicate' and in_window) as duplicate,
        count(*) filter (where state = 'influenced' and in_window) as influenced,
        count(*) filter (where state = 'invalid' and in_window) as invalid
    from deal d
    cross join cycles
    group by d.partner_id
)
select
    s.partner_id,
    s.won_value::float8 as numerator,
    (s.cycle_days / nullif(s.won, 0))::float8 as denominator,
    s.closed as facts,
    jsonb_strip_nulls(jsonb_build_object(
        'opportunities', s.closed,
        'won', s.won,
        'lost', s.lost,
        'won_value', s.won_value,
        'cycle_days', s.cycle_days,
        'open', s.open,
        'stale_open', s.stale_open,
        'unqualified', s.unqualified,
        'cancelled', s.cancelled,
        'duplicate', s.duplicate,
        'influenced', s.influenced,
        'invalid', s.invalid,
        'missing_fx', s.missing_fx,
        'cycle_p75_days', cycles.won_p75,
        'cycle_median_days', cycles.won_median,
        'window_days', cycles.window_days,
        -- A window shorter than most cycles only shows the fast deals.
        'immature', case when cycles.window_days < cycles.won_p75 then 1 else 0 end
    )) as parts
from summed s
cross join cycles
order by s.partner_id
