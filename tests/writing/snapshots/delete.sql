WITH "acta row" AS (
    DELETE FROM "public"."articles" AS t0 WHERE t0."id" = $1 RETURNING t0.*
), "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.deleted', 'articles', "acta row"."id"::text, $2::uuid, $3::uuid, $4::int, NULL, $5::jsonb
    FROM "acta row"
)
SELECT "acta row"."id"::text, NULL, NULL, NULL FROM "acta row"
