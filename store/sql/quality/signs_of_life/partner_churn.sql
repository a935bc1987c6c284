-- The newest day on which each source told of a group's partners, as of $3: a row of theirs became new or changed, or an
-- import of partners took every row, which confirms also what it leaves as it is. $1 group numbers, $2 partner ids.
select m.group_no, p.source_system,
       max(greatest(
           p.known_at,
           p.amended_at,
           (select max(r.imported_at) from intake_run r
            where r.source = p.source_system and r.kind = 'partners' and r.outcome = 'taken' and r.rows_rejected = 0
              and r.origin <> 'before the ledger' and r.imported_at <= $3::timestamptz)
       ))::date as through
from unnest($1::int[], $2::text[]) as m (group_no, partner_id)
join partner_as_of($3) p using (partner_id)
where greatest(p.known_at, p.amended_at) <= $3
group by m.group_no, p.source_system
