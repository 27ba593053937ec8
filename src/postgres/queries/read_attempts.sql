SELECT a.attempt, a.worker, coalesce(w.instance_id, '') AS instance_id, a.started_at, a.ended_at, a.outcome, a.exit_code,
       a.signal, a.reason
  FROM (SELECT attempt, worker, started_at, ended_at, outcome, exit_code, signal, reason
          FROM attempt
         WHERE number = $1::bigint
        UNION ALL
        SELECT attempt, worker, started_at, NULL, NULL, NULL, NULL, ''
          FROM lease
         WHERE number = $1::bigint) a
  LEFT JOIN worker w ON w.id BETWEEN a.worker AND a.worker
 ORDER BY a.attempt
