-- One row of the ledger.
insert into intake_run (
    seconds, kind, source, origin, outcome, why, file_name, file_sha256, mapping_sha256, rows_read, rows_skipped,
    rows_rejected, rows_new, rows_changed, rows_unchanged, imported_at, known_from, known_to, through_at
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
returning run_id
