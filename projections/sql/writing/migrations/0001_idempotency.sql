-- Requests that carried an Idempotency-Key, and what was answered; forgotten after a day.

create table acta.idempotency (
    actor text not null,
    key text not null,
    fingerprint bytea not null,
    at timestamptz not null default now(),
    items text[],
    status int,
    body bytea,
    primary key (actor, key)
);
comment on table acta.idempotency is 'Answers to requests that may be sent again under the same key';
create index idempotency_at on acta.idempotency (at);
