-- The version counts edits by users; a pool that the daemon blocks is not edited.
UPDATE pool
   SET spec = p.spec, blocked_reason = p.blocked_reason, changed_at = p.at, version = pool.version + p.edits
  FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[]) AS p (name, spec, blocked_reason, at, edits)
 WHERE pool.name = p.name
RETURNING pool.id, pool.version, pool.blocked_reason, pool.spec
