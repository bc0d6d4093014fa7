WITH "acta row" AS (
    UPDATE "public"."articles" AS t0 SET "title" = $1, "status" = $2 WHERE t0."id" = $3 RETURNING t0.*
), "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.updated', 'articles', "acta row"."id"::text, $4::uuid, $5::uuid, $6::int, jsonb_build_object('title', "acta row"."title", 'status', "acta row"."status"), $7::jsonb
    FROM "acta row"
)
SELECT "acta row"."id"::text, NULL, NULL, NULL FROM "acta row"
