UPDATE worker
   SET state = $2::text, reason = $3::text, ended_at = CASE WHEN $2::text = 'gone' THEN $4::timestamptz END,
       notice_until = coalesce(notice_until, $5::timestamptz)
 WHERE id = $1::bigint
