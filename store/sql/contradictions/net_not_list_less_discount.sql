-- Sales and returns whose three amounts do not fit together; of a return all are negative. One unit of the currency is
-- what rounding takes. $1 as of.
select
    t.source_system, t.source_id, t.partner_id,
    format('net %s %s', trim_scale(t.net_amount), t.currency) as found,
    format(
        '%s, list %s less discount %s', trim_scale(t.list_amount - t.discount_amount), trim_scale(t.list_amount),
        trim_scale(t.discount_amount)
    ) as expected
from partner_transaction_as_of($1::timestamptz) t
where t.kind <> 'credit' and abs(t.net_amount - (t.list_amount - t.discount_amount)) > 1
