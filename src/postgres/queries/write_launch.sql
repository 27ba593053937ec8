INSERT INTO launch (pool, client_token, request, bootstrap_hash, reason, created_at, changed_at)
SELECT p.id, l.client_token, l.request, l.bootstrap_hash, l.reason, l.at, l.at
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::timestamptz[])
       AS l (pool, client_token, request, bootstrap_hash, reason, at)
  JOIN pool p ON p.id = l.pool
ON CONFLICT (client_token) DO NOTHING
RETURNING id, client_token
