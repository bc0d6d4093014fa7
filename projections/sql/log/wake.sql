-- name: listen
-- Hear of every seal.
listen acta_sealed;
