-- The newest of each state asked for, each from the index (queue, state, number), then the newest of those: one index serves
-- lists with a state and without. The order asked for, in that index's own collation, leaves the planner no other index.
-- $4: leave out jobs that have a lease, which do not show the state stored.
SELECT r.*
  FROM unnest($3::text[]) AS s (state)
 CROSS JOIN LATERAL (SELECT *
                      FROM job_row
                     WHERE queue = $5::text AND state COLLATE "C" >= s.state
                       AND (state COLLATE "C", number) < (s.state, $1::bigint)
                       AND NOT ($4::boolean AND lease_attempt IS NOT NULL)
                     ORDER BY state COLLATE "C" DESC, number DESC
                     LIMIT $2::bigint) r
 ORDER BY r.number DESC
 LIMIT $2::bigint
