-- The job row is read, never written. What the read before this one saw is checked again. LIMIT keeps the planner from
-- starting at the jobs.
WITH l AS (
  INSERT INTO lease (number, attempt, worker, nonce, token_hash, started_at)
  SELECT c.number, c.attempt, c.worker, c.nonce, c.token_hash, c.started_at
    FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::text[], $5::bytea[], $6::timestamptz[])
         AS c (number, attempt, worker, nonce, token_hash, started_at)
   CROSS JOIN LATERAL (SELECT state, wake_at, attempts
                         FROM jobs
                        WHERE number = c.number AND finished_at = 'infinity'
                        LIMIT 1) j
   WHERE j.state = 'queued' AND j.wake_at IS NULL AND j.attempts = c.attempt - 1
     AND (SELECT w.state FROM worker w WHERE w.id = c.worker) = 'active'
  ON CONFLICT (number) DO NOTHING
  RETURNING number, attempt, worker, started_at
), e AS (
  INSERT INTO event (id, at, epoch, job, attempt, worker, kind)
  SELECT $7::bigint + row_number() OVER (), started_at, $8::bigint, number, attempt, worker, 'claimed' FROM l
)
SELECT number FROM l
