-- A row comparison instead of = on the state: only the index (state, number) has the order asked for.
SELECT *
  FROM job_row
 WHERE finished_at = 'infinity' AND lease_attempt IS NULL AND state >= $3::text AND (state, number) < ($3::text, $1::bigint)
 ORDER BY state DESC, number DESC
 LIMIT $2::bigint
