UPDATE launch
   SET state = $2::text, error = $3::text, changed_at = $4::timestamptz
 WHERE id = $1::bigint
