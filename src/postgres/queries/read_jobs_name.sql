-- See read_jobs_queue.
-- At most $3 bytes of tasks, and the row that goes beyond: a page of large tasks ends early.
SELECT *
  FROM (SELECT *, sum(octet_length(task)) OVER (ORDER BY number DESC ROWS UNBOUNDED PRECEDING) - octet_length(task) AS bytes_before
          FROM (SELECT r.*
                  FROM unnest($4::text[]) AS s (state)
                 CROSS JOIN LATERAL (SELECT *
                                      FROM job_row
                                     WHERE name = $6::text AND state COLLATE "C" >= s.state
                                       AND (state COLLATE "C", number) < (s.state, $1::bigint)
                                       AND NOT ($5::boolean AND lease_attempt IS NOT NULL)
                                       AND ($7::text IS NULL OR queue = $7::text)
                                     ORDER BY state COLLATE "C" DESC, number DESC
                                     LIMIT $2::bigint) r
                 ORDER BY r.number DESC
                 LIMIT $2::bigint) AS page) AS measured
 WHERE bytes_before < $3::bigint
 ORDER BY number DESC
