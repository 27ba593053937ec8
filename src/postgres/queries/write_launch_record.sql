-- A launch that is over stays over; machines that turn up late are still recorded.
UPDATE launch l
   SET state = CASE WHEN l.state = 'intended' OR (l.state = 'fulfilled' AND $2::text <> 'intended') THEN $2::text
                    ELSE l.state END,
       error = $3::text, changed_at = $4::timestamptz
  FROM pool p
 WHERE l.id = $1::bigint AND p.id = l.pool
RETURNING p.id, p.spec
