-- How often something was tried: requests of an address, logins of a user. Lost with a crash, which harms nobody.
create unlogged table acta.counters (
    name text primary key,
    points integer not null,
    ends timestamptz
);
comment on table acta.counters is 'Counted attempts, by what is limited';

-- Refresh tokens that were used, and the token that took their place: one of them sent again is stolen.
create table acta.spent_tokens (
    token varchar(64) primary key,
    successor varchar(64) not null,
    spent_at timestamptz not null default now(),
    ends timestamptz not null
);
create index spent_tokens_ends on acta.spent_tokens (ends);
comment on table acta.spent_tokens is 'Refresh tokens already used, as SHA-256, with their successors';
