-- Of the latest ended attempt, as exit_code is.
ALTER TABLE jobs ADD COLUMN signal integer;

CREATE OR REPLACE VIEW job_row AS
SELECT j.number, j.id, j.queue, j.name, j.owner, j.rank, j.task, j.cpus, j.mem_mib, j.disk_mib, j.gpus, j.labels,
       j.max_attempts, j.max_interruptions, j.backoff_s, j.timeout_s, j.run_at, j.state, j.revision, j.attempts,
       j.failures, j.infra, j.interruptions, j.reason, j.created_at, j.started_at,
       nullif(j.finished_at, 'infinity') AS finished, j.wake_at, j.exit_code,
       l.attempt AS lease_attempt, l.wanted AS lease_wanted, l.started_at AS lease_started,
       w.instance_id AS lease_instance, j.finished_at, j.signal
  FROM jobs j
  LEFT JOIN lease l ON l.number BETWEEN j.number AND j.number  -- not =: see queries/admin_session.sql
  LEFT JOIN worker w ON w.id BETWEEN l.worker AND l.worker;
