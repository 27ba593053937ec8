-- The newest of each state asked for, each from the index (queue, state, number), then the newest of those: one index serves
-- lists with a state and without. The order asked for, in that index's own collation, leaves the planner no other index.
-- $5: leave out jobs that have a lease, which do not show the state stored.
-- At most $3 bytes of tasks, and the row that goes beyond: a page of large tasks ends early.
SELECT *
  FROM (SELECT *, sum(octet_length(task)) OVER (ORDER BY number DESC ROWS UNBOUNDED PRECEDING) - octet_length(task) AS bytes_before
          FROM (SELECT r.*
                  FROM unnest($4::text[]) AS s (state)
                 CROSS JOIN LATERAL (SELECT *
                                      FROM job_row
                                     WHERE queue = $6::text AND state COLLATE "C" >= s.state
                                       AND (state COLLATE "C", number) < (s.state, $1::bigint)
                                       AND NOT ($5::boolean AND lease_attempt IS NOT NULL)
                                     ORDER BY state COLLATE "C" DESC, number DESC
                                     LIMIT $2::bigint) r
                 ORDER BY r.number DESC
                 LIMIT $2::bigint) AS page) AS measured
 WHERE bytes_before < $3::bigint
 ORDER BY number DESC
