WITH a AS (
  INSERT INTO artifact (number, attempt, name, size, sha256, created_at)
  SELECT c.number, c.attempt, c.name, c.size, c.sha256, c.created_at
    FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::text[], $5::bigint[], $6::bytea[], $7::timestamptz[])
         AS c (number, attempt, token_hash, name, size, sha256, created_at)
    JOIN lease l ON l.number BETWEEN c.number AND c.number AND l.attempt = c.attempt AND l.token_hash = c.token_hash
  ON CONFLICT (number, name, attempt)
  DO UPDATE SET size = excluded.size, sha256 = excluded.sha256, created_at = excluded.created_at
  RETURNING number, attempt, name, created_at
), e AS (
  INSERT INTO event (id, at, epoch, job, attempt, kind, detail)
  SELECT $8::bigint + row_number() OVER (), created_at, $9::bigint, number, attempt, 'artifact', name FROM a
)
SELECT number FROM a
