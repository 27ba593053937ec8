INSERT INTO pool (name, spec, changed_at)
SELECT p.name, p.spec, p.at FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS p (name, spec, at)
ON CONFLICT (name) DO NOTHING
RETURNING id, version, blocked_reason, spec
