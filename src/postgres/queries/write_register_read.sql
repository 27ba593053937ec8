-- For each bootstrap token, by its place in $1: its launch, and the latest worker of its instance in that launch.
SELECT c.place, l.id AS launch, w.id AS worker, w.state, w.nonce, w.registered_at IS NOT NULL AS registered
  FROM unnest($1::bytea[], $2::text[]) WITH ORDINALITY AS c (bootstrap_hash, instance_id, place)
  JOIN launch l ON l.bootstrap_hash = c.bootstrap_hash
  LEFT JOIN LATERAL (SELECT id, state, nonce, registered_at
                       FROM worker
                      WHERE launch = l.id AND instance_id = c.instance_id
                      ORDER BY id DESC
                      LIMIT 1) w ON true
