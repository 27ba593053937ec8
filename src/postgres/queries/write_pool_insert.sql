INSERT INTO pool (name, spec, changed_at) VALUES ($1::text, $2::text, $3::timestamptz)
ON CONFLICT (name) DO NOTHING
RETURNING id, version, blocked_reason, spec
