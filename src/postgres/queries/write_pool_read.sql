SELECT name, version FROM pool WHERE name = ANY ($1::text[]) FOR UPDATE
