SELECT j.rank, j.number
  FROM jobs j
 WHERE j.finished_at = 'infinity' AND j.state = 'queued' AND j.wake_at IS NULL AND j.alone_s = 0 AND j.queue = $1::text
   AND (j.rank, j.number) > ($2::integer, $3::bigint)
   AND NOT EXISTS (SELECT FROM lease l WHERE l.number BETWEEN j.number AND j.number)
 ORDER BY j.rank, j.number
 LIMIT $4::bigint
