SELECT *
  FROM job_row
 WHERE number < $1::bigint
 ORDER BY number DESC
 LIMIT $2::bigint
