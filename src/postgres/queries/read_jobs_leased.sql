-- From the leases, which are few, to their jobs; LIMIT keeps the planner from turning that round.
-- At most $3 bytes of tasks, and the row that goes beyond: a page of large tasks ends early.
SELECT *
  FROM (SELECT *, sum(octet_length(task)) OVER (ORDER BY number DESC ROWS UNBOUNDED PRECEDING) - octet_length(task) AS bytes_before
          FROM (SELECT r.*
                  FROM lease x
                 CROSS JOIN LATERAL (SELECT * FROM job_row j WHERE j.number = x.number AND j.finished_at = 'infinity' LIMIT 1) r
                 WHERE x.number < $1::bigint
                   AND (x.wanted = 'running') = $4::boolean
                   AND ($5::text IS NULL OR r.queue = $5::text)
                   AND ($6::text IS NULL OR r.name = $6::text)
                 ORDER BY x.number DESC
                 LIMIT $2::bigint) AS page) AS measured
 WHERE bytes_before < $3::bigint
 ORDER BY number DESC
