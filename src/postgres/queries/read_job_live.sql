SELECT * FROM job_row WHERE number = $1::bigint AND finished_at = 'infinity'
