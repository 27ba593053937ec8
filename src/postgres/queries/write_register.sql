UPDATE worker
   SET token_hash = $2::bytea, nonce = $3::text, slots = $4::integer, cpus = $5::float8, mem_mib = $6::bigint,
       disk_mib = $7::bigint, gpus = $8::integer, hostname = $9::text, version = $10::text,
       registered_at = $11::timestamptz, last_seen = $11::timestamptz,
       state = $12::text
 WHERE id = $1::bigint
