-- What a role $1 is, beside the rights that it is given: null where there is none.
select r.rolsuper or r.rolcreaterole or r.rolbypassrls or r.rolreplication as mighty,
       exists (
           select from pg_class c
           join pg_namespace n on n.oid = c.relnamespace
           where n.nspname in ('public', 'superseded') and c.relkind in ('r', 'p') and pg_has_role(r.oid, c.relowner, 'member')
       ) as owns
from pg_roles r
where r.rolname = $1
