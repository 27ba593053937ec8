SELECT w.id, w.state, w.registered_at IS NOT NULL, EXISTS (SELECT FROM lease l WHERE l.worker = w.id),
       w.notice_until IS NOT NULL
  FROM worker w
 WHERE w.id = ANY ($1::bigint[])
