-- A worker told of its machine's interruption notice: the machine goes by then.
ALTER TABLE worker ADD COLUMN notice_until timestamptz;

-- Ended by its worker's own report, which may be repeated; not by the daemon, after which a report comes too late.
ALTER TABLE attempt ADD COLUMN reported boolean NOT NULL DEFAULT true;

CREATE OR REPLACE VIEW worker_row AS
SELECT w.id, w.instance_id, w.pool, p.name AS pool_name, w.launch, w.state, w.slots, w.cpus, w.mem_mib, w.disk_mib, w.gpus,
       w.hostname, w.instance_type, w.zone, w.spot, w.reason, w.token_hash, w.nonce, w.created_at, w.registered_at,
       w.last_seen, w.ended_at, p.spec AS pool_spec, w.notice_until
  FROM worker w
  JOIN pool p ON p.id = w.pool;
