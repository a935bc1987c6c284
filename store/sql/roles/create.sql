-- The statement that makes a login role $1 with the password $2, and nothing else.
select format(
    'create role %I login password %L nosuperuser nocreatedb nocreaterole noreplication nobypassrls noinherit', $1::text, $2::text
)
