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
-- Of few deals there is more to ask than what their own row says.
reopening as materialized (
    select r.opportunity_id, greatest(r.closed_at, r.closed_known_at) <= $5
               and greatest(r.reopened_at, r.reopened_known_at) > $5 as undone_later
    from opportunity_reopening_as_of($5) r
),
-- In the order of the index, here and below: nothing is sorted, and each deal is passed once.
seen as (
    select
        partner_id, origin, currency, last_activity_at, closed_at, outcome, amount,
        case when qualified_at <= $5 then qualified_at end as qualified_at,
        -- Whether its row says how it stands. A close before it is known to have been opened again does not stand,
        -- although the row may still say it.
        case when source_id in (select opportunity_id from reopening) then (
            select coalesce(
                greatest(o.closed_at, o.closed_known_at) <= $5
                and coalesce(max(r.reopened_at) filter (where greatest(r.reopened_at, r.reopened_known_at) <= $5)
                                 <= o.closed_at, true),
                false)
            from opportunity_reopening_as_of($5) r
            where r.source_system = o.source_system and r.opportunity_id = o.source_id
        ) else greatest(closed_at, closed_known_at) <= $5 end as closed,
        -- A close that was undone later than the moment asked for: then it stood, unless another undone since was known.
        case when source_id in (select opportunity_id from reopening where undone_later) then (
            select r
            from opportunity_reopening_as_of($5) r
            where r.source_system = o.source_system and r.opportunity_id = o.source_id
              and greatest(r.closed_at, r.closed_known_at) <= $5
              and greatest(r.reopened_at, r.reopened_known_at) > $5
              and not exists (
                  select from opportunity_reopening_as_of($5) again
                  where again.source_system = o.source_system and again.opportunity_id = o.source_id
                    and again.reopened_at > r.closed_at and greatest(again.reopened_at, again.reopened_known_at) <= $5
              )
            order by r.closed_at desc
            limit 1
        ) end as earlier
    from opportunity_in_order($5) o
    where o.partner_id = any ($2)
    order by partner_id
),
deal as (
    select
        s.partner_id, s.currency, s.qualified_at, last.closed_at, last.amount,
        -- 1 won, 2 won elsewhere, 3 lost, 4 lost elsewhere, 5 idle, 6 busy, 7 unqualified, 8 cancelled, 9 duplicate,
        -- 10 influenced, 11 invalid; elsewhere is not in the window. Numbers, which are compared a dozen times each.
        case
            when last.closed_at is null then
                case
                    when s.origin = 'influenced' then 0
                    when s.qualified_at is null then 7
                    when coalesce(case when s.last_activity_at <= $5 then s.last_activity_at end, s.qualified_at)
                        < $5 - interval '60 days' then 5
                    else 6
                end
            when last.closed_at >= $3 and last.closed_at < $4 then
                case
                    when s.origin = 'influenced' then 10
                    when last.outcome = 'cancelled' then 8
                    when last.outcome = 'duplicate' then 9
                    when s.qualified_at is null then 7
                    when last.closed_at < s.qualified_at then 11
                    when last.outcome = 'won' then 1
                    else 3
                end
            when s.origin = 'influenced' or s.qualified_at is null or last.closed_at < s.qualified_at then 0
            when last.outcome = 'won' then 2
            when last.outcome = 'lost' then 4
            else 0
        end as state
    from seen s
    cross join lateral (
        select
            case when s.closed then s.closed_at else (s.earlier).closed_at end as closed_at,
            case when s.closed then s.outcome else (s.earlier).outcome end as outcome,
            case when s.closed then s.amount else (s.earlier).amount end as amount
    ) as last
    order by s.partner_id
),
-- Days stay lists, because their percentiles are the whole group's; floats, for very many. An open deal's are those until
-- the moment. What is won in other currencies is a list as well, which is changed below.
tally as materialized (
    select
        partner_id,
        count(*) filter (where state = 1) as won,
        count(*) filter (where state = 3) as lost,
        count(*) filter (where state = 5) as idle,
        count(*) filter (where state = 6) as busy,
        count(*) filter (where state = 7) as unqualified,
        count(*) filter (where state = 8) as cancelled,
        count(*) filter (where state = 9) as duplicate,
        count(*) filter (where state = 10) as influenced,
        count(*) filter (where state = 11) as invalid,
        sum(greatest(extract(epoch from closed_at - qualified_at) / 86400, 1)) filter (where state = 1) as cycle_days,
        array_agg(greatest(date_part('epoch', closed_at - qualified_at) / 86400, 1))
            filter (where state between 1 and 4) as closed_days,
        array_agg(greatest(date_part('epoch', closed_at - qualified_at) / 86400, 1))
            filter (where state in (1, 2)) as won_days,
        array_agg(greatest(date_part('epoch', closed_at - qualified_at) / 86400, 1))
            filter (where state = 1) as window_days,
        array_agg(greatest(date_part('epoch', $5 - qualified_at) / 86400, 1)) filter (where state = 6) as busy_days,
        sum(amount) filter (where state = 1 and currency = (select currency from reporting_currency)) as won_value,
        array_agg(amount) filter (where foreign_won) as amounts,
        array_agg(currency::text) filter (where foreign_won) as currencies,
        array_agg(date_trunc('month', closed_at at time zone 'UTC')::date) filter (where foreign_won) as months
    from deal
    cross join lateral (
        select state = 1 and currency is distinct from (select currency from reporting_currency) as foreign_won
    ) as money
    group by partner_id
),
changed as (
    select t.partner_id, sum(one.amount * rate.rate) as won_value, count(*) filter (where rate.rate is null) as missing_fx
    from tally t
    cross join unnest(t.amounts, t.currencies, t.months) as one (amount, currency, month)
    left join rate on rate.currency = one.currency and rate.month = one.month
    where t.amounts is not null
    group by t.partner_id
),
-- Of the whole group: how long its deals take. Lists beside each other are unfolded together, and what is missing of the
-- shorter ones counts for nothing.
cycles as (
    select
        group_no,
        percentile_cont(0.75) within group (order by won_days) as won_p75,
        percentile_cont(0.5) within group (order by window_days) as won_median,
        -- Of fewer than a hundred deals the 99th percentile is just the slowest one.
        case when count(closed_days) >= 100
            then percentile_cont(0.99) within group (order by closed_days) end as closed_p99
    from (
        select m.group_no, unnest(t.closed_days) as closed_days, unnest(t.won_days) as won_days,
               unnest(t.window_days) as window_days
        from member m
        join tally t using (partner_id)
        where t.closed_days is not null
        order by m.group_no
    ) as closed
    group by group_no
),
-- Open deals that are not idle, but older than nearly every deal of the group that ever closed.
old as (
    select m.group_no, t.partner_id, count(*) as deals
    from member m
    join cycles using (group_no)
    join tally t using (partner_id)
    cross join unnest(t.busy_days) as d (days)
    where t.busy_days is not null and d.days > cycles.closed_p99
    group by m.group_no, t.partner_id
)
select
    m.group_no,
    t.partner_id,
    (coalesce(t.won_value, 0) + coalesce(c.won_value, 0))::float8 as numerator,
    (t.cycle_days / t.won)::float8 as denominator,
    t.won + t.lost as facts,
    t.won + t.lost as opportunities,
    t.won,
    t.lost,
    (coalesce(t.won_value, 0) + coalesce(c.won_value, 0))::float8 as won_value,
    coalesce(t.cycle_days, 0)::float8 as cycle_days,
    t.idle + t.busy as open,
    t.idle + coalesce(old.deals, 0) as stale_open,
    t.unqualified,
    t.cancelled,
    t.duplicate,
    t.influenced,
    t.invalid,
    coalesce(c.missing_fx, 0) as missing_fx,
    cycles.won_p75 as cycle_p75_days,
    cycles.won_median as cycle_median_days,
    length.days::float8 as window_days,
    -- A window shorter than most cycles only shows the fast deals.
    case when length.days < cycles.won_p75 then 1 else 0 end as immature
from member m
join tally t using (partner_id)
left join changed c using (partner_id)
left join cycles using (group_no)
left join old using (group_no, partner_id)
cross join (select extract(epoch from $4::timestamptz - $3::timestamptz) / 86400 as days) as length
order by m.group_no, t.partner_id
