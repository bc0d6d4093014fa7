WITH "acta row" AS (
    INSERT INTO "public"."articles" AS t0 ("title", "author") VALUES ($1, $2) RETURNING t0.*
), "acta event" AS (
    INSERT INTO acta.events (topic, collection, item, actor, request, context, payload, meta)
    SELECT 'item.created', 'articles', "acta row"."id"::text, $3::uuid, $4::uuid, $5::int, to_jsonb("acta row".*), $6::jsonb
    FROM "acta row"
)
SELECT "acta row"."id"::text, NULL, NULL, NULL FROM "acta row"
