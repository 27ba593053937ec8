INSERT INTO worker (pool, launch, slots, created_at, instance_id, instance_type, zone, spot)
SELECT i.pool, i.launch, i.slots, i.created_at, i.instance_id, i.instance_type, i.zone, i.spot
  FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
              $8::boolean[])
       AS i (pool, launch, slots, created_at, instance_id, instance_type, zone, spot)
 WHERE NOT EXISTS (SELECT FROM worker w WHERE w.instance_id BETWEEN i.instance_id AND i.instance_id)
ON CONFLICT DO NOTHING
RETURNING id, launch
