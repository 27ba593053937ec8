-- See read_jobs_queue.
SELECT r.*
  FROM unnest($3::text[]) AS s (state)
 CROSS JOIN LATERAL (SELECT *
                      FROM job_row
                     WHERE name = $5::text AND state COLLATE "C" >= s.state
                       AND (state COLLATE "C", number) < (s.state, $1::bigint)
                       AND NOT ($4::boolean AND lease_attempt IS NOT NULL)
                       AND ($6::text IS NULL OR queue = $6::text)
                     ORDER BY state COLLATE "C" DESC, number DESC
                     LIMIT $2::bigint) r
 ORDER BY r.number DESC
 LIMIT $2::bigint
