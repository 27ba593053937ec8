UPDATE worker
   SET state = $2::text, reason = $3::text, ended_at = CASE WHEN $2::text = 'gone' THEN $4::timestamptz END
 WHERE id = $1::bigint
