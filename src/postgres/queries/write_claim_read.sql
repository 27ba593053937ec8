SELECT r.number, r.id, r.attempts, r.queue, r.name, r.rank, r.task, r.max_attempts, r.max_interruptions, r.backoff_s,
       r.failures, r.infra, r.interruptions, r.timeout_s, r.infra_workers, r.alone_s, r.charges, r.returns,
       r.checkpoint_attempt, r.state, r.wake_at
  FROM job_run r
 WHERE r.number = ANY ($1::bigint[])
