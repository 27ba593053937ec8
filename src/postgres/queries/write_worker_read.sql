SELECT w.state, w.registered_at IS NOT NULL, EXISTS (SELECT FROM lease l WHERE l.worker = w.id)
  FROM worker w
 WHERE w.id = $1::bigint
