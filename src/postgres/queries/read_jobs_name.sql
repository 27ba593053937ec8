-- The newest of each state asked for, each from the index (name, state, number), then the newest of those: the index serves
-- lists with a state and without. $4: leave out jobs that have a lease, which do not show the state stored.
SELECT r.*
  FROM unnest($3::text[]) AS s (state)
 CROSS JOIN LATERAL (SELECT *
                      FROM job_row
                     WHERE (name, state) >= ($5::text, s.state) AND (name, state, number) < ($5::text, s.state, $1::bigint)
                       AND NOT ($4::boolean AND lease_attempt IS NOT NULL)
                       AND ($6::text IS NULL OR queue = $6::text)
                     ORDER BY name DESC, state DESC, number DESC
                     LIMIT $2::bigint) r
 ORDER BY r.number DESC
 LIMIT $2::bigint
