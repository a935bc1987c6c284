-- Lead follow-up SLA, percent: first contacted in time / (those + late + uncontacted past the deadline).
-- Follows lead_states.sql and lead_readings.sql. Pending, excluded and invalid leads are counted beside it, so that nobody
-- can improve the number unseen by excluding leads, or by writing contacts down days later. So are the leads of which
-- the other half is not known yet: met before their deadline, while those not met before it are pending; and breaches
-- so recent that a contact may still become known. Parts named contact_* are the whole group's: hours from assignment to
-- first contact of the leads contacted; of those of partners with a calendar, also opening hours without pauses.
select * from reading order by group_no, partner_id
