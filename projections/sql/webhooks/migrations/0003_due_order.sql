-- Deliveries opened together are due at the same moment: their order is the index's too, so that the first few of a
-- long backlog are found without the rest.
drop index acta.deliveries_due;
create index deliveries_due on acta.deliveries (webhook, next_at, id) where status = 'waiting';
