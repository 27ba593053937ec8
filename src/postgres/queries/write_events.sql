INSERT INTO event (at, kind, detail, worker, launch, pool, id, epoch)
SELECT e.at, e.kind, e.detail, e.worker, e.launch, e.pool, $7::bigint + e.place, $8::bigint
  FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
       WITH ORDINALITY AS e (at, kind, detail, worker, launch, pool, place)
