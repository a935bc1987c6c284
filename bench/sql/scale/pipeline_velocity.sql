-- Velocity as DuckDB is asked, without what only PostgreSQL gains by; what the product reads is compared with it
-- (tests/store/test_plainer_statements.py).
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
    where f.reporting_currency = (select currency from reporting_currency)
),
-- Closes that were undone later than the moment asked for: then they stood.
undone as (
    select distinct on (r.source_system, r.opportunity_id)
        r.source_system, r.opportunity_id, r.closed_at, r.outcome, r.amount
    from opportunity_reopening_as_of($5) r
    where greatest(r.closed_at, r.closed_known_at) <= $5
      and greatest(r.reopened_at, r.reopened_known_at) > $5
    order by r.source_system, r.opportunity_id, r.closed_at desc
),
-- When it is known to have been opened again: a close before that does not stand, although its row may still say it.
reopened as (
    select r.source_system, r.opportunity_id, max(r.reopened_at) as at
    from opportunity_reopening_as_of($5) r
    where greatest(r.reopened_at, r.reopened_known_at) <= $5
    group by r.source_system, r.opportunity_id
),
-- The last close known, where the deal has not been reopened since.
seen as (
    select
        o.partner_id, o.origin, o.currency, o.last_activity_at,
        case when o.qualified_at <= $5 then o.qualified_at end as qualified_at,
        case when last.known then o.closed_at else earlier.closed_at end as closed_at,
        case when last.known then o.outcome else earlier.outcome end as outcome,
        case when last.known then o.amount else earlier.amount end as amount
    from opportunity_as_of($5) o
    left join reopened again on again.source_system = o.source_system and again.opportunity_id = o.source_id
    left join undone earlier
        on earlier.source_system = o.source_system and earlier.opportunity_id = o.source_id
        and coalesce(again.at <= earlier.closed_at, true)
    cross join lateral (
        select coalesce(greatest(o.closed_at, o.closed_known_at) <= $5, false)
            and coalesce(again.at <= o.closed_at, true) as known
    ) as last
    where o.partner_id = any ($2)
),
deal as (
    select
        partner_id, closed_at, currency, amount,
        case
            when origin = 'influenced' then case when span.holds then 'influenced' else 'elsewhere' end
            when outcome in ('cancelled', 'duplicate') then case when span.holds then outcome else 'elsewhere' end
            when qualified_at is null
                then case when span.holds or closed_at is null then 'unqualified' else 'elsewhere' end
            when closed_at < qualified_at then case when span.holds then 'invalid' else 'elsewhere' end
            when outcome = 'won' then case when span.holds then 'won' else 'won elsewhere' end
            when outcome = 'lost' then case when span.holds then 'lost' else 'lost elsewhere' end
            when coalesce(case when last_activity_at <= $5 then last_activity_at end, qualified_at)
                < $5 - interval '60 days' then 'idle'
            else 'busy'
        end as state,
        span.holds and outcome = 'won' as won_in_window,
        greatest(extract(epoch from closed_at - qualified_at) / 86400, 1) as cycle_days,
        -- The same as a float, for the percentiles of very many; an open deal's until the moment.
        greatest(date_part('epoch', coalesce(closed_at, $5) - qualified_at) / 86400, 1) as days
    from seen
    cross join lateral (
        select coalesce(closed_at >= $3::timestamptz and closed_at < $4::timestamptz, false) as holds
    ) as span
),
-- The one pass over the deals. Days stay a list, because their percentiles are the whole group's.
tally as (
    select
        partner_id, state, count(*) as deals, array_agg(days) as days,
        sum(case when won_in_window then cycle_days end) as cycle_days,
        array_agg(amount) filter (where won_in_window) as amounts,
        array_agg(currency::text) filter (where won_in_window) as currencies,
        array_agg(date_trunc('month', closed_at at time zone 'UTC')::date) filter (where won_in_window) as months
    from deal
    group by partner_id, state
),
-- Money by currency and month of the close: a sum times its rate is the sum of what is changed one by one.
earned as (
    select w.partner_id, coalesce(sum(w.amount * factor.rate), 0) as won_value,
           coalesce(sum(w.deals) filter (where factor.rate is null), 0) as missing_fx
    from (
        select t.partner_id, one.currency, one.month, sum(one.amount) as amount, count(*) as deals
        from tally t
        cross join unnest(t.amounts, t.currencies, t.months) as one (amount, currency, month)
        where t.state = 'won'
        group by t.partner_id, one.currency, one.month
    ) as w
    left join rate on rate.currency = w.currency and rate.month = w.month
    cross join lateral (
        select case when w.currency = (select currency from reporting_currency) then 1 else rate.rate end as rate
    ) as factor
    group by w.partner_id
),
counted as (
    select
        partner_id,
        coalesce(sum(deals) filter (where state = 'won'), 0)::bigint as won,
        coalesce(sum(deals) filter (where state = 'lost'), 0)::bigint as lost,
        coalesce(sum(cycle_days) filter (where state = 'won'), 0) as cycle_days,
        coalesce(sum(deals) filter (where state in ('idle', 'busy')), 0)::bigint as open,
        coalesce(sum(deals) filter (where state = 'idle'), 0)::bigint as idle,
        coalesce(sum(deals) filter (where state = 'unqualified'), 0)::bigint as unqualified,
        coalesce(sum(deals) filter (where state = 'cancelled'), 0)::bigint as cancelled,
        coalesce(sum(deals) filter (where state = 'duplicate'), 0)::bigint as duplicate,
        coalesce(sum(deals) filter (where state = 'influenced'), 0)::bigint as influenced,
        coalesce(sum(deals) filter (where state = 'invalid'), 0)::bigint as invalid
    from tally
    group by partner_id
),
-- Of the whole group: how long its deals take.
cycles as (
    select
        closed.group_no,
        percentile_cont(0.75) within group (order by d.days) filter (where closed.won) as won_p75,
        percentile_cont(0.5) within group (order by d.days) filter (where closed.state = 'won') as won_median,
        -- Of fewer than a hundred deals the 99th percentile is just the slowest one.
        case when count(*) >= 100 then percentile_cont(0.99) within group (order by d.days) end as closed_p99
    from (
        select m.group_no, t.state, t.state in ('won', 'won elsewhere') as won, t.days
        from member m
        join tally t using (partner_id)
        where t.state in ('won', 'won elsewhere', 'lost', 'lost elsewhere')
        -- Sorted before the lists are unfolded: there are far fewer of them than of deals.
        order by m.group_no
    ) as closed
    cross join unnest(closed.days) as d (days)
    group by closed.group_no
),
-- Open deals that are not idle, but older than nearly every deal of the group that ever closed.
old as (
    select m.group_no, t.partner_id, count(*) as deals
    from member m
    join cycles using (group_no)
    join tally t using (partner_id)
    cross join unnest(t.days) as d (days)
    where t.state = 'busy' and d.days > cycles.closed_p99
    group by m.group_no, t.partner_id
)
select
    m.group_no,
    c.partner_id,
    coalesce(e.won_value, 0)::float8 as numerator,
    (c.cycle_days / nullif(c.won, 0))::float8 as denominator,
    c.won + c.lost as facts,
    c.won + c.lost as opportunities,
    c.won,
    c.lost,
    coalesce(e.won_value, 0)::float8 as won_value,
    c.cycle_days::float8 as cycle_days,
    c.open,
    c.idle + coalesce(old.deals, 0) as stale_open,
    c.unqualified,
    c.cancelled,
    c.duplicate,
    c.influenced,
    c.invalid,
    coalesce(e.missing_fx, 0)::bigint as missing_fx,
    cycles.won_p75 as cycle_p75_days,
    cycles.won_median as cycle_median_days,
    length.days::float8 as window_days,
    -- A window shorter than most cycles only shows the fast deals.
    case when length.days < cycles.won_p75 then 1 else 0 end as immature
from member m
join counted c using (partner_id)
left join earned e using (partner_id)
left join cycles using (group_no)
left join old using (group_no, partner_id)
cross join (select extract(epoch from $4::timestamptz - $3::timestamptz) / 86400 as days) as length
order by m.group_no, c.partner_id
