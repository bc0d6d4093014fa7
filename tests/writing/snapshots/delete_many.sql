WITH "acta given" AS (
    SELECT * FROM json_to_recordset($1::json) AS v (n int, "k0" text)
), "acta old" AS (
    SELECT v.n, CAST(t0.* AS "public"."articles") AS row_old FROM "public"."articles" AS t0 JOIN "acta given" AS v ON t0."id" = v."k0"::integer ORDER BY t0."id" FOR UPDATE OF t0
), "acta row" AS (
    DELETE FROM "public"."articles" AS t0 USING "acta old" AS v WHERE t0."id" = (v.row_old)."id" RETURNING v.n, CAST(t0.* AS "public"."articles") AS row_new
), "acta numbered" AS (
    SELECT n, (row_new)."id"::text AS item, NULL::jsonb AS payload FROM "acta row"
)
, "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.deleted', 'articles', item, $2::uuid, $3::uuid, $4::int, payload, $5::jsonb
    FROM "acta numbered" ORDER BY n
)
SELECT n, item, NULL FROM "acta numbered" ORDER BY n
