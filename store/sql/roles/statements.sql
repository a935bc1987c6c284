-- $1 role; then a column each, side by side: tables of public, and what may be done with them. All that the role was given
-- before on tables of ours is taken back first.
select format('revoke all on all tables in schema %I from %I', s, $1::text) as statement, 0 as place
from unnest('{public,superseded}'::text[]) as s
union all
select format('grant usage on schema %I to %I', s, $1::text), 1
from unnest('{public,superseded}'::text[]) as s
union all
select format('grant select on all tables in schema superseded to %I', $1::text), 1
union all
select format('grant %s on public.%I to %I', rights, name, $1::text), 2
from unnest($2::text[], $3::text[]) as given (name, rights)
order by place
