-- How far facts reach. $1 tables; $2 and $3 the days between which they count, the second exclusive: it is also when
-- they must be known by. Shards of a day add up, and what was deleted takes away.
with told as (
    select facts_of, day, known_on, sum(facts) as facts
    from fact_day
    where facts_of = any ($1::text[])
    group by facts_of, day, known_on
    having sum(facts) > 0
)
select facts_of, min(day) as first, max(day) as last, min(known_on) as known_first, max(known_on) as known_last,
       coalesce(sum(facts) filter (where day >= $2::date and day < $3::date and known_on < $3::date), 0)::bigint as in_span
from told
group by facts_of
