-- Claims of a partner, the one known first before the others, from the index alone: of a state one fact says from which
-- source its partner is heard, and it is the same one whoever asks again (docs/decisions/0097). Of assignments and results
-- there are such indexes already.
create index mdf_claim_first_known on mdf_claim (partner_id, known_at, source_id, source_system);
