-- Time to contact as it was known at any moment, and read by partner beside the leads of a window. What a pause or a
-- corrected partner makes of a contact that is timed already stands in a further row, from when that is known; the first
-- row of a contact holds from the beginning, since nobody sees the contact before it is known.
alter table lead_contact_time
    add column partner_id text,
    add column stands_since timestamptz not null default '-infinity';
update lead_contact_time t set partner_id = l.partner_id
from lead l where l.source_system = t.source_system and l.source_id = t.source_id;
alter table lead_contact_time alter column partner_id set not null;
alter table lead_contact_time drop constraint lead_contact_time_pkey;
alter table lead_contact_time add primary key
    (partner_id, assigned_at, source_id, first_contact_at, source_system, stands_since) include (business_minutes);
create index lead_contact_time_of on lead_contact_time (source_system, source_id);
