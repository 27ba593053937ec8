INSERT INTO launch (pool, client_token, request, bootstrap_hash, reason, created_at, changed_at)
SELECT id, $2::text, $3::text, $4::bytea, $5::text, $6::timestamptz, $6::timestamptz FROM pool WHERE id = $1::bigint
ON CONFLICT (client_token) DO NOTHING
RETURNING id
