INSERT INTO setting (key, value, changed_at)
SELECT key, value, $3::timestamptz FROM unnest($1::text[], $2::text[]) AS t (key, value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at
