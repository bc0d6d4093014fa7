WITH "acta given" AS (
    SELECT * FROM json_to_recordset($1::json) AS v (n int, fields text[], "c0" text, "k0" text)
), "acta old" AS (
    SELECT v.*, CAST(t0.* AS "public"."articles") AS row_old FROM "public"."articles" AS t0 JOIN "acta given" AS v ON t0."id" = v."k0"::integer ORDER BY t0."id" FOR NO KEY UPDATE OF t0
), "acta row" AS (
    UPDATE "public"."articles" AS t0 SET "title" = v."c0" FROM "acta old" AS v WHERE t0."id" = (v.row_old)."id"
    RETURNING v.n, v.fields, v.row_old, CAST(t0.* AS "public"."articles") AS row_new
), "acta numbered" AS (
    SELECT n, (row_new)."id"::text AS item, jsonb_build_object('title', (row_new)."title") AS payload FROM "acta row"
)
, "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.updated', 'articles', item, $2::uuid, $3::uuid, $4::int, payload, m.meta
    FROM "acta numbered" JOIN jsonb_array_elements($5::jsonb) WITH ORDINALITY AS m (meta, n) USING (n) ORDER BY n
)
SELECT n, item, NULL FROM "acta numbered" ORDER BY n
