-- Of which source a lead is, is asked beside its state (quality/newest_of_flow.sql): the index that answers by itself
-- holds that too, so that the checks of the data need no look at the table and no second read.
drop index lead_by_partner;
create index lead_by_partner on lead (partner_id, assigned_at)
    include (contact_due_at, first_contact_at, first_contact_known_at, reassigned_at, reassigned_known_at, rejected_at,
             rejected_known_at, excluded_at, excluded_known_at, excluded_reason, known_at, amended_at, source_id,
             source_system);
