-- Stands before keep_evidence.sql where nobody has to wait until the disk has what is kept; keep_readings.sql asks for it.
soon as materialized (select set_config('synchronous_commit', 'off', true))
