-- Nothing yet.
select;  -- asyncpg cannot run a statement that says nothing
