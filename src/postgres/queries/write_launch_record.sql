UPDATE launch l
   SET state = r.state, error = r.error, changed_at = r.at
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[]) AS r (id, state, error, at)
 WHERE l.id BETWEEN r.id AND r.id
