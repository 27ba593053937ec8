-- Every artifact of an open attempt, and whether it was kept: an attempt has a limited number of them, besides the
-- checkpoint. Version 1 of the worker program sends a checkpoint as an artifact of this name.
WITH c AS (
  SELECT p.number, p.attempt, p.size, p.sha256, p.created_at,
         CASE WHEN p.name = 'checkpoint.tar.gz' AND w.version = '1' THEN '/checkpoint' ELSE p.name END AS name
    FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::text[], $5::bigint[], $6::bytea[], $7::timestamptz[])
         AS p (number, attempt, token_hash, name, size, sha256, created_at)
    JOIN lease l ON l.number BETWEEN p.number AND p.number AND l.attempt = p.attempt AND l.token_hash = p.token_hash
    LEFT JOIN worker w ON w.id BETWEEN l.worker AND l.worker
), a AS (
  INSERT INTO artifact (number, attempt, name, size, sha256, created_at)
  SELECT number, attempt, name, size, sha256, created_at
    FROM c
   WHERE name = '/checkpoint'
      OR (SELECT count(*)
            FROM artifact o
           WHERE o.number = c.number AND o.attempt = c.attempt AND o.name <> '/checkpoint' AND o.name <> c.name)
         < $10::integer
  ON CONFLICT (number, name, attempt)
  DO UPDATE SET size = excluded.size, sha256 = excluded.sha256, created_at = excluded.created_at
  RETURNING number, attempt, name, created_at
), e AS (
  INSERT INTO event (id, at, epoch, job, attempt, kind, detail)
  SELECT $8::bigint + row_number() OVER (), created_at, $9::bigint, number, attempt, 'artifact', name FROM a
)
SELECT c.number, EXISTS (SELECT FROM a WHERE a.number = c.number) AS kept FROM c
