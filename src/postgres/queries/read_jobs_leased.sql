-- From the leases, which are few, to their jobs; LIMIT keeps the planner from turning that round.
SELECT r.*
  FROM lease x
 CROSS JOIN LATERAL (SELECT * FROM job_row j WHERE j.number = x.number AND j.finished_at = 'infinity' LIMIT 1) r
 WHERE x.number < $1::bigint
   AND (x.wanted = 'running') = $3::boolean
   AND ($4::text IS NULL OR r.queue = $4::text)
   AND ($5::text IS NULL OR r.name = $5::text)
 ORDER BY x.number DESC
 LIMIT $2::bigint
