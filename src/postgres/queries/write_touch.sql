UPDATE worker w
   SET last_seen = t.at
  FROM unnest($1::bigint[], $2::timestamptz[]) AS t (id, at)
 WHERE w.id BETWEEN t.id AND t.id
