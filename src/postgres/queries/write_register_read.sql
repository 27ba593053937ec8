SELECT l.id, w.id, w.state, w.nonce, w.registered_at IS NOT NULL
  FROM launch l
  LEFT JOIN worker w ON w.launch = l.id AND w.instance_id = $2::text
 WHERE l.bootstrap_hash = $1::bytea
 ORDER BY w.id DESC
 LIMIT 1
