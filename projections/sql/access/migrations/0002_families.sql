-- What ends one session of a login ends all that it has led to, so successors have to lead back.
create index spent_tokens_successor on acta.spent_tokens (successor);

-- A session's token with all those that it came of and that came of it.
create function acta.session_family_v1(of_token varchar) returns setof varchar
language sql stable rows 10 as $$
    with recursive family (token) as (
        select of_token
        union
        select k.token from family as f cross join lateral (
            select s.successor from acta.spent_tokens as s where s.token = f.token
            union all
            select s.token from acta.spent_tokens as s where s.successor = f.token
        ) as k (token)
    )
    select f.token from family as f
$$;
