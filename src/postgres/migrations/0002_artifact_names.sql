-- A checkpoint is kept under a name that no artifact can have: an artifact that a job called checkpoint.tar.gz was taken
-- for the checkpoint of its next attempt. Those there are keep their old name too, and are listed as before.
INSERT INTO artifact (number, name, attempt, size, sha256, created_at)
SELECT number, '/checkpoint', attempt, size, sha256, created_at FROM artifact WHERE name = 'checkpoint.tar.gz';

-- The artifacts of one attempt are counted, and earlier attempts may have left as many. Without the checkpoints, so that
-- looking for one of those cannot go through all of a job's artifacts.
CREATE INDEX artifact_attempt ON artifact (number, attempt) WHERE name <> '/checkpoint';

CREATE OR REPLACE VIEW job_run AS
SELECT j.number, j.id, j.attempts, j.queue, j.name, j.rank, j.task, j.max_attempts, j.max_interruptions, j.backoff_s,
       j.failures, j.infra, j.interruptions, j.timeout_s, j.infra_workers,
       (SELECT max(a.attempt)
          FROM artifact a
         WHERE j.attempts > 0 AND a.number = j.number AND a.name = '/checkpoint'
           AND a.attempt <= j.attempts) AS checkpoint_attempt,
       j.state, j.wake_at
  FROM jobs j
 WHERE j.finished_at = 'infinity';
