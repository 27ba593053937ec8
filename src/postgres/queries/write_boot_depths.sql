-- Leased jobs are still stored as queued: count them off, which is cheaper than an anti-join over all that wait.
SELECT q.queue, sum(q.jobs)::bigint
  FROM (SELECT queue, count(*) AS jobs
          FROM jobs
         WHERE finished_at = 'infinity' AND state = 'queued' AND wake_at IS NULL
         GROUP BY queue
        UNION ALL
        SELECT j.queue, -count(*)
          FROM lease l
          JOIN jobs j ON j.number = l.number
         WHERE j.finished_at = 'infinity' AND j.state = 'queued' AND j.wake_at IS NULL
         GROUP BY j.queue) q
 GROUP BY q.queue
 ORDER BY q.queue
