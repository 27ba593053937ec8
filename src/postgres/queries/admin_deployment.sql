INSERT INTO deployment (id, secret) VALUES ($1::uuid, $2::text) ON CONFLICT DO NOTHING
