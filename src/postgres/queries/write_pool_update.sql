-- The version counts edits by users; a pool that the daemon blocks is not edited.
UPDATE pool
   SET spec = $2::text, blocked_reason = $3::text, changed_at = $4::timestamptz,
       version = version + CASE WHEN $3::text = '' THEN 1 ELSE 0 END
 WHERE name = $1::text
RETURNING id, version, blocked_reason, spec
