INSERT INTO event (id, at, epoch, worker, launch, pool, kind, detail)
VALUES ($1::bigint, $2::timestamptz, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::text, $8::text)
