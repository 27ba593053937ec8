SELECT j.number, j.id, j.finished_at, j.state, j.queue, j.rank, j.wake_at, j.alone_s, l.wanted
  FROM jobs j
  LEFT JOIN lease l ON l.number BETWEEN j.number AND j.number
 WHERE j.number = ANY ($1::bigint[]) AND j.finished_at = 'infinity'
   FOR UPDATE OF j
