-- As of when it is known that a lead was met, where nothing else is said of it: in time, and not written down days later.
-- Nearly every lead is met, and a look at the SLA counts it by this alone (store/sql/lead_tallies.sql). As a key of the
-- index it is worked out when the lead is written; it is never stored beside what it is made of, so the two cannot differ.
drop index lead_by_partner;
create index lead_by_partner on lead (
    partner_id,
    assigned_at,
    (
        case
            when first_contact_at >= assigned_at and first_contact_at <= contact_due_at
                 and excluded_at is null and reassigned_at is null
                 and (first_contact_known_at is null or first_contact_known_at <= known_at
                      or first_contact_known_at - first_contact_at <= interval '72 hours')
            then greatest(first_contact_at, first_contact_known_at, known_at, amended_at)
        end
    )
)
    include (contact_due_at, first_contact_at, first_contact_known_at, reassigned_at, reassigned_known_at, rejected_at,
             rejected_known_at, excluded_at, excluded_known_at, excluded_reason, known_at, amended_at, source_id,
             source_system);
