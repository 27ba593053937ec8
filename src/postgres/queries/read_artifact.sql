SELECT attempt, name, size, sha256, created_at
  FROM artifact
 WHERE number = $1::bigint AND name = $2::text
 ORDER BY attempt DESC
 LIMIT 1
