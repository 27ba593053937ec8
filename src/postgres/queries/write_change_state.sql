-- A final job that is queued again starts its counters anew; the numbering of its attempts goes on.
WITH c AS (
  SELECT *
    FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::boolean[],
                $7::timestamptz[], $8::text[])
         AS t (number, was_finished_at, state, finished_at, wake_at, anew, at, kind)
), e AS (
  INSERT INTO event (id, at, epoch, job, kind)
  SELECT $9::bigint + row_number() OVER (), at, $10::bigint, number, kind FROM c
)
UPDATE jobs j
   SET state = c.state, finished_at = c.finished_at, wake_at = c.wake_at, reason = '',
       failures = CASE WHEN c.anew THEN 0 ELSE j.failures END,
       infra = CASE WHEN c.anew THEN 0 ELSE j.infra END,
       interruptions = CASE WHEN c.anew THEN 0 ELSE j.interruptions END,
       infra_workers = CASE WHEN c.anew THEN '{}' ELSE j.infra_workers END,
       charges = CASE WHEN c.anew THEN 0 ELSE j.charges END,
       alone_s = CASE WHEN c.anew THEN 0 ELSE j.alone_s END,
       returns = CASE WHEN c.anew THEN 0 ELSE j.returns END
  FROM c
 WHERE j.number BETWEEN c.number AND c.number AND j.finished_at = c.was_finished_at
