-- What amounts are multiplied by to be in reporting currency, as of $3: by currency and month, and one for what is in it
-- already, in any month. For the statements in facts/.
select f.currency, f.month, f.rate
from fx_rate_as_of($3::timestamptz) f
join reporting_currency home on home.currency = f.reporting_currency and home.currency <> f.currency
union all
select home.currency, null, 1 from reporting_currency home
