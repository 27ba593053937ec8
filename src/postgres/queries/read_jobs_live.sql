-- A row comparison instead of = on the state: only the index (state, number) has the order asked for.
-- At most $3 bytes of tasks, and the row that goes beyond: a page of large tasks ends early.
SELECT *
  FROM (SELECT *, sum(octet_length(task)) OVER (ORDER BY number DESC ROWS UNBOUNDED PRECEDING) - octet_length(task) AS bytes_before
          FROM (SELECT *
                  FROM job_row
                 WHERE finished_at = 'infinity' AND lease_attempt IS NULL AND state >= $4::text AND (state, number) < ($4::text, $1::bigint)
                 ORDER BY state DESC, number DESC
                 LIMIT $2::bigint) AS page) AS measured
 WHERE bytes_before < $3::bigint
 ORDER BY number DESC
