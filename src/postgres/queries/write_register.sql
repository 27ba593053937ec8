UPDATE worker w
   SET token_hash = r.token_hash, nonce = r.nonce, slots = r.slots, cpus = r.cpus, mem_mib = r.mem_mib,
       disk_mib = r.disk_mib, gpus = r.gpus, hostname = r.hostname, version = r.version,
       registered_at = r.registered_at, last_seen = r.registered_at, state = r.state
  FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::integer[], $5::float8[], $6::bigint[], $7::bigint[],
              $8::integer[], $9::text[], $10::text[], $11::timestamptz[], $12::text[])
       AS r (id, token_hash, nonce, slots, cpus, mem_mib, disk_mib, gpus, hostname, version, registered_at, state)
 WHERE w.id BETWEEN r.id AND r.id
