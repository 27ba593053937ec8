-- At most $3 bytes of tasks, and the row that goes beyond: a page of large tasks ends early.
SELECT *
  FROM (SELECT *, sum(octet_length(task)) OVER (ORDER BY number DESC ROWS UNBOUNDED PRECEDING) - octet_length(task) AS bytes_before
          FROM (SELECT *
                  FROM job_row
                 WHERE number < $1::bigint
                 ORDER BY number DESC
                 LIMIT $2::bigint) AS page) AS measured
 WHERE bytes_before < $3::bigint
 ORDER BY number DESC
