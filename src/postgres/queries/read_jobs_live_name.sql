SELECT *
  FROM job_row
 WHERE finished_at = 'infinity' AND lease_attempt IS NULL AND state = $3::text AND name = $4::text AND number < $1::bigint
 ORDER BY number DESC
 LIMIT $2::bigint
