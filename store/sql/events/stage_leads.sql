-- Leads as the events make them, to be given deadlines as those of a file are. $1 to $9 a text for each column.
insert into intake_staged (line, source_system, source_id, partner_id, class, policy_version, assigned_at,
                           accept_due_at, contact_due_at, first_contact_at)
select place, source_system, source_id, partner_id, class, policy_version, assigned_at::timestamptz,
       accept_due_at::timestamptz, contact_due_at::timestamptz, first_contact_at::timestamptz
from unnest(string_to_array($1, E'\x1f', E'\x1e'), string_to_array($2, E'\x1f', E'\x1e'),
            string_to_array($3, E'\x1f', E'\x1e'), string_to_array($4, E'\x1f', E'\x1e'),
            string_to_array($5, E'\x1f', E'\x1e'), string_to_array($6, E'\x1f', E'\x1e'),
            string_to_array($7, E'\x1f', E'\x1e'), string_to_array($8, E'\x1f', E'\x1e'),
            string_to_array($9, E'\x1f', E'\x1e')) with ordinality
     as s (source_system, source_id, partner_id, class, policy_version, assigned_at, accept_due_at, contact_due_at,
           first_contact_at, place)
