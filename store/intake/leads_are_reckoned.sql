-- Whether leads are more than their rows: deadlines reckoned by a policy, contacts timed by a calendar.
select exists (select from lead_policy) or exists (select from lead_clock)
    or exists (select from partner where calendar_id is not null)
