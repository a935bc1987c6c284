-- $1 source system, $2 lead id, $3 assigned, $4 contacted, $5 elapsed minutes, $6 minutes of opening hours.
insert into lead_contact_time (source_system, source_id, assigned_at, first_contact_at, elapsed_minutes, business_minutes)
values ($1, $2, $3, $4, $5, $6)
on conflict (source_system, source_id, assigned_at, first_contact_at) do update
set elapsed_minutes = excluded.elapsed_minutes, business_minutes = excluded.business_minutes
