-- Letters of flows that are still to be sent: taken in with what is kept of their run.

create table acta.flow_letters (
    id bigint generated always as identity primary key,
    reader text not null,
    subject text not null,
    template text not null,
    variables jsonb not null,
    html text[] not null,
    attempts int not null default 0,
    due timestamptz not null default now(),
    created timestamptz not null default now()
);
comment on table acta.flow_letters is 'Letters of flows in the worker that wait to be sent; html names the variables that are HTML';
create index flow_letters_due on acta.flow_letters (due);
