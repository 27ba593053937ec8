-- returned: there is evidence that the worker never had the attempt, which changes nothing of its job but the number of the next.
-- returns: so many of a job's last attempts in a row ended so because its living worker did not list them.
ALTER TABLE attempt DROP CONSTRAINT attempt_outcome_check;
ALTER TABLE attempt ADD CONSTRAINT attempt_outcome_check
  CHECK (outcome IN ('succeeded', 'failure', 'interruption', 'infra', 'stopped', 'returned')) NOT VALID;
ALTER TABLE jobs ADD COLUMN returns integer NOT NULL DEFAULT 0 CHECK (returns >= 0);

CREATE OR REPLACE VIEW job_run AS
SELECT j.number, j.id, j.attempts, j.queue, j.name, j.rank, j.task, j.max_attempts, j.max_interruptions, j.backoff_s,
       j.failures, j.infra, j.interruptions, j.timeout_s, j.infra_workers,
       (SELECT max(a.attempt)
          FROM artifact a
         WHERE j.attempts > 0 AND a.number = j.number AND a.name = '/checkpoint'
           AND a.attempt <= j.attempts) AS checkpoint_attempt,
       j.state, j.wake_at, j.alone_s, j.charges, j.returns
  FROM jobs j
 WHERE j.finished_at = 'infinity';
