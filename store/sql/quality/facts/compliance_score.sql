-- The checks of some partners whose last result is not a pass, critical and heavy ones first. Arguments as of leads.
select partner_id, fact
from (
    select latest.partner_id, 'check ' || latest.check_id as fact,
           row_number() over (
               partition by latest.partner_id
               order by latest.critical desc, latest.weight desc, latest.check_id
           ) as place
    from (
        select distinct on (r.partner_id, r.check_id)
            r.partner_id, r.check_id, r.outcome, c.critical, c.weight
        from compliance_result_as_of($3::timestamptz) r
        join compliance_check_as_of($3) c on c.check_id = r.check_id and c.version = r.version
        where r.partner_id = any ($1::text[]) and r.assessed_at <= $3 and $2::timestamptz is not null
        order by r.partner_id, r.check_id, r.assessed_at desc, r.known_at desc, r.source_id desc
    ) as latest
    where latest.outcome not in ('pass', 'not_applicable')
) as failing
where place <= $4::int
order by partner_id, place
