WITH "acta row" AS (
    UPDATE "public"."articles" AS t0 SET "title" = $1 WHERE t0."id" = $2 AND (EXISTS (SELECT FROM "public"."authors" "t1" WHERE "t1"."id" = "t0"."author" AND "t1"."name" = $3)) RETURNING t0.*
), "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.updated', 'articles', "acta row"."id"::text, $4::uuid, $5::uuid, $6::int, jsonb_build_object('title', "acta row"."title"), $7::jsonb
    FROM "acta row"
)
SELECT "acta row"."id"::text, NULL, NULL, NULL FROM "acta row"
