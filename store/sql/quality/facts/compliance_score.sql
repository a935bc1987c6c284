-- The checks of some partners that apply and are not passed by a result in date, critical and heavy ones first; of those
-- alike what failed before what says nothing. A waived check is passed, one that is out of force or lapsed no result.
-- Arguments as of lead_follow_up_sla.sql.
select partner_id, fact
from (
    select latest.partner_id,
           case when latest.critical and latest.value = 0 then 'failed critical check ' else 'check ' end || latest.check_id
               as fact,
           row_number() over (
               partition by latest.partner_id
               order by latest.critical desc, latest.critical and latest.value = 0 desc, latest.weight desc,
                        latest.outcome = 'inconclusive', latest.check_id
           ) as place
    from (
        select distinct on (r.partner_id, r.check_id)
            r.partner_id, r.check_id, r.outcome,
            -- Fulfilled to no part is failed, whatever it is called.
            case r.outcome when 'fail' then 0 when 'inconclusive' then 1 else r.value::numeric end as value,
            coalesce(own.critical, c.critical) as critical, coalesce(own.weight, c.weight) as weight,
            coalesce(
                r.valid_until,
                (r.assessed_at at time zone 'UTC')::date
                    + case when own.check_id is not null then own.validity_days else c.validity_days end
            ) + coalesce(own.grace_days, c.grace_days) as last_day
        from compliance_result_as_of($3::timestamptz) r
        join (select * from partner_as_of($3) where partner_id = any ($1)) as p on p.partner_id = r.partner_id
        join (
            select distinct on (one.check_id) one.*
            from compliance_check_as_of($3) one
            where one.effective_from <= $3 at time zone 'UTC'
            order by one.check_id, one.version desc
        ) as c on c.check_id = r.check_id
            and (c.retired_on is null or c.retired_on > $3 at time zone 'UTC')
            and (c.types is null or p.type = any (c.types))
            and (c.tiers is null or p.tier = any (c.tiers))
            and (c.regions is null or p.region = any (c.regions))
        -- A result keeps the weight of the version it was made under.
        left join compliance_check_as_of($3) own on own.check_id = r.check_id and own.version = r.version
        where r.partner_id = any ($1::text[]) and r.assessed_at <= $3 and $2::timestamptz is not null
        order by r.partner_id, r.check_id, r.assessed_at desc, r.known_at desc, r.source_id desc
    ) as latest
    where latest.outcome not in ('pass', 'not_applicable')
      and coalesce(latest.last_day + 1 > $3 at time zone 'UTC', true)
      and not exists (
          select from compliance_waiver_as_of($3) w
          where w.partner_id = latest.partner_id and w.check_id = latest.check_id
            and w.valid_from <= $3 at time zone 'UTC' and w.valid_until + 1 > $3 at time zone 'UTC'
            and (w.revoked_at is null or greatest(w.revoked_at, w.revoked_known_at) > $3)
      )
) as failing
where place <= $4::int
order by partner_id, place
