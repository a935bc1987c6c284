-- The newest waiver, withdrawal of an assignment and withdrawal of a claim are found by index, as the newest completion and
-- payment are: they say how far a source reaches. Few rows have any.
create index enablement_assignment_waived on enablement_assignment (waived_at) where waived_at is not null;
create index enablement_assignment_withdrawn on enablement_assignment (withdrawn_at) where withdrawn_at is not null;
create index mdf_claim_withdrawn on mdf_claim (withdrawn_at) where withdrawn_at is not null;
