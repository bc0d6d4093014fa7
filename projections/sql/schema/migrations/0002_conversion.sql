-- What a value becomes in another type and what it would be when converted back; null when it can't be converted. The names of
-- the types are the catalog's.
create function acta.converted_v1(value text, from_type text, to_type text) returns text[]
language plpgsql stable as $$
declare
    becomes text;
    back text;
begin
    execute format('select ($1::%1$s)::%2$s::text, ($1::%1$s)::%2$s::%1$s::text', from_type, to_type)
        into becomes, back using value;
    return array[becomes, back];
exception when data_exception or invalid_text_representation or integrity_constraint_violation then
    return null;
end
$$;
