SELECT j.number, j.id, j.finished_at, j.state, j.queue, j.rank, j.wake_at, j.alone_s, NULL::text AS wanted
  FROM jobs j
 WHERE j.number = ANY ($1::bigint[]) AND j.finished_at < 'infinity'
   FOR UPDATE OF j
