SELECT w.id, w.state, w.registered_at IS NOT NULL AS registered,
       EXISTS (SELECT FROM lease l WHERE l.worker = w.id) AS leased, w.notice_until IS NOT NULL AS noticed
  FROM worker w
 WHERE w.id = ANY ($1::bigint[])
