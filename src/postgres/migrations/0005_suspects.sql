-- alone_s: of a suspect, which broke its machine together with others, or alone: for so many seconds its next attempt has a worker to
-- itself. charges: infra ends that it met alone; infra_workers are the workers of these. Until now every infra end was charged.
ALTER TABLE jobs ADD COLUMN alone_s bigint NOT NULL DEFAULT 0 CHECK (alone_s >= 0),
                 ADD COLUMN charges integer NOT NULL DEFAULT 0 CHECK (charges >= 0);
UPDATE jobs SET charges = infra WHERE finished_at = 'infinity' AND infra > 0;
CREATE INDEX jobs_live_suspect ON jobs_live (queue, rank, number) WHERE state = 'queued' AND wake_at IS NULL AND alone_s > 0;

CREATE OR REPLACE VIEW job_row AS
SELECT j.number, j.id, j.queue, j.name, j.owner, j.rank, j.task, j.cpus, j.mem_mib, j.disk_mib, j.gpus, j.labels,
       j.max_attempts, j.max_interruptions, j.backoff_s, j.timeout_s, j.run_at, j.state, j.revision, j.attempts,
       j.failures, j.infra, j.interruptions, j.reason, j.created_at, j.started_at,
       nullif(j.finished_at, 'infinity') AS finished, j.wake_at, j.exit_code,
       l.attempt AS lease_attempt, l.wanted AS lease_wanted, l.started_at AS lease_started,
       w.instance_id AS lease_instance, j.finished_at, j.signal, j.alone_s, j.charges
  FROM jobs j
  LEFT JOIN lease l ON l.number BETWEEN j.number AND j.number  -- not =: see queries/admin_session.sql
  LEFT JOIN worker w ON w.id BETWEEN l.worker AND l.worker;

CREATE OR REPLACE VIEW job_run AS
SELECT j.number, j.id, j.attempts, j.queue, j.name, j.rank, j.task, j.max_attempts, j.max_interruptions, j.backoff_s,
       j.failures, j.infra, j.interruptions, j.timeout_s, j.infra_workers,
       (SELECT max(a.attempt)
          FROM artifact a
         WHERE j.attempts > 0 AND a.number = j.number AND a.name = '/checkpoint'
           AND a.attempt <= j.attempts) AS checkpoint_attempt,
       j.state, j.wake_at, j.alone_s, j.charges
  FROM jobs j
 WHERE j.finished_at = 'infinity';
