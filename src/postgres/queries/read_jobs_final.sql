-- See read_jobs_live.
SELECT *
  FROM job_row
 WHERE finished_at < 'infinity' AND state >= $3::text AND (state, number) < ($3::text, $1::bigint)
 ORDER BY state DESC, number DESC
 LIMIT $2::bigint
