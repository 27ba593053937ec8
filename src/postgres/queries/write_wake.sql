UPDATE jobs j
   SET wake_at = NULL
  FROM (SELECT number
          FROM jobs
         WHERE finished_at = 'infinity' AND state = 'queued' AND wake_at IS NOT NULL AND wake_at <= $1::timestamptz
         ORDER BY wake_at
         LIMIT $2::bigint) d
 WHERE j.number BETWEEN d.number AND d.number AND j.finished_at = 'infinity'
RETURNING j.queue, j.rank, j.number, j.alone_s
