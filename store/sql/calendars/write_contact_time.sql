-- How long a contact took, unless that is what is known already. The first word on a contact holds from the beginning.
-- $1 source system, $2 lead id, $3 partner, $4 assigned, $5 contacted, $6 elapsed minutes, $7 minutes of opening hours,
-- $8 the moment.
with latest as (
    select business_minutes, stands_since
    from lead_contact_time
    where partner_id = $3 and assigned_at = $4 and source_id = $2 and first_contact_at = $5 and source_system = $1
    order by stands_since desc
    limit 1
)
insert into lead_contact_time (source_system, source_id, partner_id, assigned_at, first_contact_at, elapsed_minutes,
                               business_minutes, stands_since)
select $1, $2, $3, $4, $5, $6, $7,
       coalesce((select greatest($8::timestamptz, stands_since + interval '1 microsecond') from latest), '-infinity')
where not exists (select from latest where business_minutes = $7)
on conflict do nothing
