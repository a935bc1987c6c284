-- Who is signed in, and who is about to be.
--
-- Rules
--   * A secret is 256 random bits: there is nothing to guess, so a plain hash of it is enough. The secret itself stands in
--     the browser's cookie, or in the terminal's file, and nowhere here.
--   * A session is ended, never changed into another person's: signing in makes a new one.

create table session (
    sha256       bytea primary key check (length(sha256) = 32),
    session_id   text not null unique,                            -- by which people speak of it; opens nothing
    kind         text not null check (kind in ('browser', 'terminal')),
    issuer       text not null,
    subject      text not null,
    identity     text not null,
    name         text not null,
    auth_time    bigint not null,                                 -- seconds since 1970, as the issuer said it
    amr          text[] not null,
    created_at   timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),              -- to the minute
    ended_at     timestamptz,
    ended_by     text,
    check ((ended_at is null) = (ended_by is null))
);
create index session_of on session (issuer, subject);

create table sign_in (
    state_sha256   bytea primary key check (length(state_sha256) = 32),
    browser_sha256 bytea not null check (length(browser_sha256) = 32),  -- only the browser that began may end it
    nonce          text not null,
    verifier       text not null,
    back           text not null,
    max_age        integer not null,
    created_at     timestamptz not null default now()
);
create index sign_in_age on sign_in (created_at);

create table terminal_request (
    sha256     bytea primary key check (length(sha256) = 32),     -- of the secret that opens the session once allowed
    code       text not null unique,
    created_at timestamptz not null default now()
);
create index terminal_request_age on terminal_request (created_at);

-- What somebody had written when they were asked to sign in again.
create table draft (
    draft_id   text primary key,
    issuer     text not null,
    subject    text not null,
    path       text not null,
    fields     jsonb not null,
    created_at timestamptz not null default now()
);
create index draft_age on draft (created_at);
