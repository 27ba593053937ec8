-- BETWEEN instead of = keeps the planner from turning a join round while a table is small: see admin_session.
WITH e AS (
  SELECT *
    FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::text[], $5::integer[], $6::integer[], $7::text[],
                $8::text[], $9::integer[], $10::integer[], $11::integer[], $12::text[], $13::timestamptz[],
                $14::timestamptz[], $15::timestamptz[], $16::boolean[], $17::integer[], $18::bigint[],
                $19::integer[], $20::boolean[])
         AS t (number, attempt, token_hash, outcome, exit_code, signal, reason, state, failures, infra, interruptions,
               job_reason, wake_at, ended_at, finished_at, charged, charges, alone_s, returns, as_it_was)
), g AS (
  DELETE FROM lease l
   USING e
   WHERE l.number BETWEEN e.number AND e.number AND l.attempt = e.attempt AND (e.token_hash IS NULL OR e.token_hash = l.token_hash)
  RETURNING e.number, e.attempt, l.token_hash, e.token_hash IS NOT NULL AS reported, l.worker, l.started_at, e.outcome, e.exit_code, e.signal, e.reason,
            e.state, e.failures, e.infra, e.interruptions, e.job_reason, e.wake_at, e.ended_at, e.finished_at, e.charged,
            e.charges, e.alone_s, e.returns, e.as_it_was
), a AS (
  INSERT INTO attempt (number, attempt, worker, started_at, ended_at, outcome, exit_code, signal, reason, token_hash, reported)
  SELECT number, attempt, worker, started_at, ended_at, outcome, exit_code, signal, reason, token_hash, reported FROM g
), v AS (
  INSERT INTO event (id, at, epoch, job, attempt, worker, kind, detail)
  SELECT $21::bigint + row_number() OVER (), ended_at, $22::bigint, number, attempt, worker, outcome, state FROM g
)
UPDATE jobs j
   SET finished_at = coalesce(g.finished_at, 'infinity'), state = g.state, attempts = g.attempt, failures = g.failures,
       infra = g.infra, interruptions = g.interruptions, wake_at = g.wake_at, charges = g.charges, alone_s = g.alone_s,
       returns = g.returns,
       reason = CASE WHEN g.as_it_was THEN j.reason ELSE g.job_reason END,
       exit_code = CASE WHEN g.as_it_was THEN j.exit_code ELSE g.exit_code END,
       signal = CASE WHEN g.as_it_was THEN j.signal ELSE g.signal END,
       started_at = CASE WHEN g.as_it_was THEN j.started_at ELSE g.started_at END,
       infra_workers = CASE WHEN g.charged AND g.worker <> ALL (j.infra_workers)
                            THEN j.infra_workers || g.worker ELSE j.infra_workers END
  FROM g
 WHERE j.number BETWEEN g.number AND g.number AND j.finished_at = 'infinity'
RETURNING j.number, j.state, j.queue, j.rank, j.wake_at
