-- Asked twice for each new text. A function in SQL cannot be taken into its caller here, since
-- convert_to is stable only, and so it is begun and ended as a query of its own at each call, which
-- cost more than the hash. The same bytes as before.
create or replace function dictionary_hash(entry text) returns bytea
language plpgsql immutable strict parallel safe as $$
begin
    return substring(sha256(convert_to(entry, 'UTF8')) for 16);
end
$$;
