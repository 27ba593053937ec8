WITH n AS (
  SELECT *
    FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::float8[],
                $9::bigint[], $10::bigint[], $11::integer[], $12::text[], $13::integer[], $14::integer[], $15::bigint[],
                $16::bigint[], $17::timestamptz[], $18::text[], $19::timestamptz[], $20::timestamptz[])
         AS t (number, id, queue, name, owner, rank, task, cpus, mem_mib, disk_mib, gpus, labels, max_attempts,
               max_interruptions, backoff_s, timeout_s, run_at, state, created_at, wake_at)
), e AS (
  INSERT INTO event (id, at, epoch, job, kind)
  SELECT $21::bigint + row_number() OVER (), created_at, $22::bigint, number, 'submitted' FROM n
)
INSERT INTO jobs (number, id, queue, name, owner, rank, task, cpus, mem_mib, disk_mib, gpus, labels, max_attempts,
                  max_interruptions, backoff_s, timeout_s, run_at, state, created_at, wake_at)
SELECT number, id, queue, name, owner, rank, task, cpus, mem_mib, disk_mib, gpus, labels, max_attempts,
       max_interruptions, backoff_s, timeout_s, run_at, state, created_at, wake_at
  FROM n
