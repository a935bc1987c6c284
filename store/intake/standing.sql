-- Where every source and kind of facts stands: what the ledger knows of it, and what is counted by day of those whose
-- facts come as events. Neither looks at the facts themselves. $1 now.
with runs as (
    select source, kind, sum(rows_new)::bigint as facts, count(*) filter (where origin = 'file') as imports,
           max(run_id) as last_run, max(run_id) filter (where outcome = 'taken') as last_taken,
           max(least(through_at, $1::timestamptz)) filter (where through_at is not null) as through_at
    from intake_run
    group by source, kind
),
days as (
    select source_system as source, facts_of, sum(facts)::bigint as facts,
           max(day) filter (where facts > 0 and day <= $1::date and known_on <= $1::date) as last_day
    from fact_day
    group by source_system, facts_of
)
select coalesce(r.source, d.source) as source, r.kind, d.facts_of,
       greatest(r.facts, d.facts) as facts,
       greatest(r.through_at, d.last_day::timestamp at time zone 'UTC') as through_at,
       coalesce(r.imports, 0) as imports, taken.at as taken_at, coalesce(taken.rows_rejected, 0) as rejected,
       taken.file_name, case when latest.outcome = 'refused' then latest.why end as refused_why
from runs r
full join days d on d.source = r.source and d.facts_of = ($2::jsonb ->> r.kind)
left join intake_run taken on taken.run_id = r.last_taken
left join intake_run latest on latest.run_id = r.last_run
