SELECT *
  FROM job_row
 WHERE queue = $3::text AND name = $4::text AND number < $1::bigint
 ORDER BY number DESC
 LIMIT $2::bigint
