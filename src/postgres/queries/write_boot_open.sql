SELECT l.attempt, l.worker, l.nonce, l.token_hash, l.started_at, l.wanted,
       r.number, r.id, r.attempts, r.queue, r.name, r.rank, r.task, r.max_attempts, r.max_interruptions, r.backoff_s,
       r.failures, r.infra, r.interruptions, r.timeout_s, r.infra_workers, r.alone_s, r.charges, r.returns,
       r.checkpoint_attempt
  FROM lease l
  JOIN job_run r ON r.number = l.number
 ORDER BY l.number
