-- Of each group the facts of the window that said something else until lately. $1 group numbers, $2 partner ids beside
-- them, $3 window start, $4 as of, $6 since when is lately, $7 tables.
select m.group_no, count(distinct (r.facts_of, r.source_system, r.source_id)) as facts,
       (array_agg(distinct m.partner_id))[1:5] as names
from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
join fact_restated r using (partner_id)
where r.facts_of = any ($7::text[]) and r.restated_at > $6::timestamptz and r.restated_at <= $4
  and r.happened_at >= $3 and r.happened_at < $4
group by m.group_no
