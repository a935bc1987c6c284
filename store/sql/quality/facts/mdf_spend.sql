-- What some partners have committed, in reporting currency: first what stands without an allocation of their own, then what
-- is of the window, the largest first. Claims that are paid or owed, and approved requests that nobody claimed of yet. An
-- invoice handed in again, a claim taken back and a reservation given back are owed to nobody. Arguments as of
-- lead_follow_up_sla.sql.
with rate as (:rate),
claim as materialized (
    select
        c.partner_id, c.source_system, c.source_id, c.request_id, c.currency, lower(c.invoice_ref) as invoice, c.submitted_at,
        coalesce(greatest(c.paid_at, c.paid_known_at) <= $3, false) as is_paid,
        c.decision = 'approved' and greatest(c.decided_at, c.decided_known_at) <= $3 as is_approved,
        coalesce(c.decision = 'rejected' and greatest(c.decided_at, c.decided_known_at) <= $3, false)
            or coalesce(greatest(c.withdrawn_at, c.withdrawn_known_at) <= $3, false) as is_void,
        c.paid_at, c.decided_at, c.paid_amount, c.approved_amount
    from mdf_claim_as_of($3::timestamptz) c
    where c.partner_id = any ($1::text[]) and c.submitted_at <= $3
),
-- Keys of what stands behind them are given as lists: a join would not reach the indexes behind a table as of a moment.
request as materialized (
    select * from mdf_request_as_of($3) where partner_id = any ($1)
    union
    select * from mdf_request_as_of($3)
    where request_id = any (array(select request_id from claim where request_id is not null))
),
fund as materialized (
    select a.allocation_id, a.partner_id, b.claim_deadline
    from mdf_allocation_as_of($3) a
    join mdf_budget_as_of($3) b using (budget_id)
    where a.allocation_id = any (array(select allocation_id from request where allocation_id is not null))
),
committed as (
    select c.partner_id, 'claim ' || c.source_id as fact, r.allocation_id, c.currency,
           case when c.is_paid then c.paid_at else c.decided_at end as at,
           case when c.is_paid then c.paid_amount else c.approved_amount end as amount
    from claim c
    left join request r on r.request_id = c.request_id
    where c.is_paid
       or c.is_approved and not c.is_void and not exists (
           select from mdf_claim_as_of($3) other
           where lower(other.invoice_ref) = any (array(select invoice from claim where invoice is not null))
             and lower(other.invoice_ref) = c.invoice
             and other.submitted_at <= $3
             and not coalesce(other.decision = 'rejected'
                              and greatest(other.decided_at, other.decided_known_at) <= $3, false)
             and not coalesce(greatest(other.withdrawn_at, other.withdrawn_known_at) <= $3, false)
             and (other.submitted_at, other.source_system, other.source_id)
                 < (c.submitted_at, c.source_system, c.source_id)
       )
    union all
    select r.partner_id, 'request ' || r.request_id, r.allocation_id, r.currency, r.decided_at, r.approved_amount
    from request r
    left join fund f on f.allocation_id = r.allocation_id
    where r.partner_id = any ($1)
      and r.decision = 'approved' and greatest(r.decided_at, r.decided_known_at) <= $3
      and not coalesce(greatest(r.released_at, r.released_known_at) <= $3, false)
      and not exists (select from claim c where c.request_id = r.request_id and not c.is_void)
      and coalesce(f.claim_deadline + 1 > $3 at time zone 'UTC', true)
)
select partner_id, fact
from (
    select c.partner_id, case when own.budgeted then '' else 'unbudgeted ' end || c.fact as fact,
           row_number() over (
               partition by c.partner_id
               order by own.budgeted, c.at >= $2::timestamptz desc,
                        c.amount * rate.rate desc nulls last, c.fact
           ) as place
    from committed c
    left join fund f on f.allocation_id = c.allocation_id
    cross join lateral (select coalesce(f.partner_id = c.partner_id, false) as budgeted) as own
    left join rate
        on rate.currency = c.currency
        and coalesce(rate.month = date_trunc('month', c.at at time zone 'UTC')::date, true)
) as spent
where place <= $4::int
order by partner_id, place
