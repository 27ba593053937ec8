SELECT wake_at
  FROM jobs
 WHERE finished_at = 'infinity' AND state = 'queued' AND wake_at IS NOT NULL
 ORDER BY wake_at
 LIMIT 1
