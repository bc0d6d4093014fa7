-- How many runs and hooks have set each other off to get to this run.

alter table acta.flow_runs add column chain int not null default 0;
