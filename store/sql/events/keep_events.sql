-- Keeps new events; how late it is, by the one clock that counts. $1 source system, $2 name of the key, then arrays.
-- The clock is read while the subjects are locked: of two writers to a subject the second one is the later one.
with now as materialized (select clock_timestamp() as moment),
kept as (
    insert into fact_event (source_system, event_id, version, type, kind, subject, happened_at, data, sha256,
                            received_at, received_by)
    select $1, e.event_id, e.version, e.type, e.kind, e.subject, e.happened_at, e.data::jsonb, e.sha256, now.moment, $2
    from unnest($3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::text[], $10::bytea[])
         as e (event_id, version, type, kind, subject, happened_at, data, sha256)
    cross join now
)
select moment from now
