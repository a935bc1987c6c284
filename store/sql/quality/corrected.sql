-- What fact_day lacks of the moment asked for, as rows like its own: what facts said then that were corrected since, and
-- what these say now taken away. :table holds the facts, :as_of is the moment; :day, :known, :currency, :amount and
-- :which as fact_day counts them. store/corrections.py fills all of them in. That there is an end to when facts were
-- corrected is said so that few are expected whatever is asked.
with told as materialized (
    select * from superseded.:table
    where superseded_at > :as_of and superseded_at <= 'infinity' and known_at <= :as_of
      and (amended_at is null or amended_at <= :as_of)
)
select ':table' as facts_of, source_system, (:day)::date as day, (:known)::date as known_on, (:currency)::text as currency,
       1 as facts, (:amount)::numeric as amount
from told
where :which
union all
select ':table', source_system, (:day)::date, (:known)::date, (:currency)::text, -1, -(:amount)::numeric
from (select source_system as of_source, source_id as id from told) as told
-- One by one, by their key: a plan for whatever may be asked would rather read all facts.
cross join lateral (
    select * from :table where source_system = of_source and source_id = id offset 0
) as now
where :which
