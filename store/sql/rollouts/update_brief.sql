-- Keep the newest standing, as update_standing.sql does, with the watched cohorts as they were frozen. What has not
-- changed is not written again: a cohort may have thousands of members.
update rollout r
set phase = $3, wave = $4, status = $5, sentence = $6, since = $7, open = $8, tolerance_since = $10,
    sequence = $11, awaited = $12, awaits = $13, next = $14, delegations = $15, updated_at = now(),
    watched = case
        when jsonb_path_query_array(r.watched, '$[*].name') = to_jsonb($9::text[]) then r.watched
        else coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object('name', c.name, 'partners', c.partners) order by array_position($9::text[], c.name)
                )
                from rollout_cohort c
                where (c.rollout_id, c.chain_id) = ($1, $2) and c.name = any ($9)
            ),
            '[]'
        )
    end
where (rollout_id, chain_id) = ($1, $2) and sequence <= $11
returning jsonb_array_length(watched) as watched, baselines -> 0 ->> 'evidence_digest' as baselines_from
