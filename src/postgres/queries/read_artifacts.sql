-- A checkpoint is no artifact.
SELECT DISTINCT ON (name) attempt, name, size, sha256, created_at
  FROM artifact
 WHERE number = $1::bigint AND name > $2::text AND name <> '/checkpoint'
 ORDER BY name, attempt DESC
 LIMIT $3::bigint
