-- Keeps new events. $1 source system, $2 name of the key, then a text for each column.
-- The clock is read while the subjects are locked: of two writers to a subject the second one is the later one.
with now as materialized (select clock_timestamp() as moment),
kept as (
    insert into fact_event (source_system, event_id, version, type, kind, subject, happened_at, data, sha256,
                            retracted, received_at, received_by)
    select $1, e.event_id, e.version::int, e.type, e.kind, e.subject, e.happened_at::timestamptz, e.data::jsonb,
           decode(e.sha256, 'hex'), e.retracted::boolean, now.moment, $2
    from unnest(string_to_array($3, E'\x1f'), string_to_array($4, E'\x1f'), string_to_array($5, E'\x1f'),
                string_to_array($6, E'\x1f'), string_to_array($7, E'\x1f'), string_to_array($8, E'\x1f'),
                string_to_array($9, E'\x1f'), string_to_array($10, E'\x1f'), string_to_array($11, E'\x1f'))
         as e (event_id, version, type, kind, subject, happened_at, data, sha256, retracted)
    cross join now
)
select moment from now
