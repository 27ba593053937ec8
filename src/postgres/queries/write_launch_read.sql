SELECT l.id, l.state, p.id AS pool, p.spec AS pool_spec
  FROM launch l
  JOIN pool p ON p.id = l.pool
 WHERE l.id = ANY ($1::bigint[])
   FOR UPDATE OF l
