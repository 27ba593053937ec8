-- What became of attempts that are not open: for repeated reports and for messages.
SELECT c.number, CASE WHEN a.reported THEN a.token_hash END AS token_hash, a.outcome, j.state, j.queue,
       j.rank, j.wake_at, l.wanted
  FROM unnest($1::bigint[], $2::integer[]) AS c (number, attempt)
  JOIN jobs j ON j.number BETWEEN c.number AND c.number
  LEFT JOIN attempt a ON a.number BETWEEN c.number AND c.number AND a.attempt = c.attempt
  LEFT JOIN lease l ON l.number BETWEEN c.number AND c.number
