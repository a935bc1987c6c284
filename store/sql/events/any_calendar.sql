-- Whether leads have deadlines to be reckoned, or contacts to be timed, by anybody's calendar.
select exists (select from lead_policy) or exists (select from lead_clock)
       or exists (select from partner where calendar_id is not null)
