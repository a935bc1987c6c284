-- What has become of a letter is said in one place: it waits for a channel, every channel has taken it, one never will, or
-- it was kept because there is none to go through.
alter table notice add column state text not null generated always as (
    case
        when refused_at is not null then 'refused'
        when sent_at is null then 'waiting'
        when cardinality(delivered) = 0 then 'kept'
        else 'sent'
    end
) stored;

-- Letters that did not get through are counted every few seconds, and none is ever deleted.
create index notice_unsent on notice (state) where sent_at is null;

-- The letters about a rollout.
create index notice_of on notice (rollout_id, chain_id, created_at);
