-- How often facts contradict each other in one way, by source, and the first of them by source and source id. The
-- statement of that way gives source_system, source_id, partner_id, found and expected. Only what is found is kept, on
-- disk where it is much. $1 as of, $2 the sources asked for, or null for all, $3 how many to name.
with finding as materialized (:finding),
asked as (
    select * from finding where $2::text[] is null or source_system = any ($2)
)
select source_system, count(*) as facts, null as source_id, null as partner_id, null as found, null as expected
from asked
group by source_system
union all
(
    select source_system, null, source_id, partner_id, found, expected
    from asked
    order by source_system, source_id
    limit $3
)
