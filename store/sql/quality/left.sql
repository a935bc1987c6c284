-- Of each group how many are partners no more, as was known. $1 group numbers, $2 partner ids beside them, $4 as of.
with gone as materialized (
    -- First, and by themselves: they are few.
    select partner_id from partner_as_of($4::timestamptz)
    where partner_id = any ($2::text[]) and active_to <= $4 at time zone 'UTC'
)
select m.group_no, count(*) as partners
from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
join gone using (partner_id)
group by m.group_no
