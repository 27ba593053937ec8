-- Leased jobs are still stored as queued: count them off, which is cheaper than an anti-join over all that wait.
SELECT q.queue, sum(q.jobs)::bigint AS ready
  FROM (SELECT queue, count(*) AS jobs
          FROM jobs_live
         WHERE state = 'queued' AND wake_at IS NULL
         GROUP BY queue
        UNION ALL
        SELECT j.queue, -count(*)
          FROM lease l
          JOIN jobs_live j ON j.number = l.number
         WHERE j.state = 'queued' AND j.wake_at IS NULL
         GROUP BY j.queue) q
 GROUP BY q.queue
HAVING sum(q.jobs) <> 0
 ORDER BY q.queue
