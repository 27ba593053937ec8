SELECT version FROM pool WHERE name = $1::text FOR UPDATE
