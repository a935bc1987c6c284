-- The next deadline of a partner's open leads, of their acceptance as well: which leads nobody has answered is told by the
-- index, without reading each lead that a partner has ever left without a contact. No further index, for the intake of
-- leads would pay for it.
drop index lead_open_deadline;
create index lead_open_deadline on lead (partner_id, contact_due_at, accept_due_at)
    include (accepted_at, rejected_at)
    where first_contact_at is null and reassigned_at is null and excluded_at is null;
