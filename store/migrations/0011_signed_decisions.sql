-- Whether what people ask of a rollout is proven by signatures. Rollouts of before know none.
alter table rollout
    add column decisions text not null default 'unsigned' check (decisions in ('signed', 'unsigned'));
