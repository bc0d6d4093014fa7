-- An event sets a flow off as a change, and by the rows that it is in activity and revisions.

alter table acta.flow_runs add column kind text not null default 'change' check (kind in ('change', 'activity', 'revisions'));
alter table acta.flow_runs drop constraint flow_runs_flow_position_key, add unique (flow, position, kind);
