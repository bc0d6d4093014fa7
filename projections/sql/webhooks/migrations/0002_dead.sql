-- Monitoring counts what was given up.
create index deliveries_dead on acta.deliveries (webhook) where status = 'dead';
