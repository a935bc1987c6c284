-- Whether deadlines are reckoned here at all, or ever were.
select exists (select from lead_policy) or exists (select from lead_clock)
