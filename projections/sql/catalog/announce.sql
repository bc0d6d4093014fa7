-- name: announce
-- Tells every process, once the transaction commits, that the model has changed.
SELECT pg_catalog.pg_notify('acta_model', '');

-- name: listen
-- Makes a connection hear announcements.
LISTEN acta_model;
