-- Why these claims inserted nothing. Used in messages only.
SELECT c.number, j.state AS job_state, j.wake_at IS NOT NULL AS later, l.number IS NOT NULL AS leased,
       w.state AS worker_state
  FROM unnest($1::bigint[], $2::bigint[]) AS c (number, worker)
  LEFT JOIN jobs j ON j.number BETWEEN c.number AND c.number AND j.finished_at = 'infinity'
  LEFT JOIN lease l ON l.number BETWEEN c.number AND c.number
  LEFT JOIN worker w ON w.id BETWEEN c.worker AND c.worker
