-- The whole schema. Times are timestamptz; states are text with a CHECK, so that psql shows what they mean.
-- Nothing references jobs by foreign key: history goes by dropping partitions.

CREATE TABLE deployment (
  one        boolean PRIMARY KEY DEFAULT true CHECK (one),
  id         uuid NOT NULL,
  secret     text NOT NULL CHECK (secret ~ '^[0-9a-f]{64}$'),
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Raised by every new holder of leadership. A writer other than the leader takes this row FOR SHARE and compares.
CREATE TABLE leader (
  one        boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch      bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  started_at timestamptz
);
INSERT INTO leader DEFAULT VALUES;

CREATE TABLE scheduler (
  one        boolean PRIMARY KEY DEFAULT true CHECK (one),
  paused     boolean NOT NULL DEFAULT false,
  changed_at timestamptz
);
INSERT INTO scheduler DEFAULT VALUES;

CREATE TABLE setting (
  key        text PRIMARY KEY CHECK (key <> ''),
  value      text NOT NULL,
  changed_at timestamptz NOT NULL
);

-- ---- jobs

CREATE SEQUENCE job_number AS bigint MINVALUE 1 MAXVALUE 281474976710655;

-- Running is not stored: it means "has a lease". finished_at is infinity exactly while the job is alive.
CREATE TABLE jobs (
  number            bigint NOT NULL CHECK (number BETWEEN 1 AND 281474976710655),
  finished_at       timestamptz NOT NULL DEFAULT 'infinity',
  created_at        timestamptz NOT NULL,
  started_at        timestamptz,
  run_at            timestamptz,
  wake_at           timestamptz,
  revision          bigint NOT NULL DEFAULT 1,
  parent            bigint,
  timeout_s         bigint NOT NULL CHECK (timeout_s >= 0),
  backoff_s         bigint NOT NULL CHECK (backoff_s >= 0),
  cpus              double precision NOT NULL CHECK (cpus >= 0),
  mem_mib           bigint NOT NULL CHECK (mem_mib >= 0),
  disk_mib          bigint NOT NULL CHECK (disk_mib >= 0),
  id                uuid NOT NULL,
  gpus              integer NOT NULL CHECK (gpus >= 0),
  rank              integer NOT NULL,
  attempts          integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  failures          integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  infra             integer NOT NULL DEFAULT 0 CHECK (infra >= 0),
  interruptions     integer NOT NULL DEFAULT 0 CHECK (interruptions >= 0),
  max_attempts      integer NOT NULL CHECK (max_attempts BETWEEN 1 AND 1000),
  max_interruptions integer CHECK (max_interruptions >= 0),
  exit_code         integer,
  pending_deps      integer NOT NULL DEFAULT 0 CHECK (pending_deps >= 0),
  state             text NOT NULL CHECK (state IN ('blocked', 'queued', 'held', 'suspended',
                                                   'succeeded', 'failed', 'cancelled')),
  queue             text NOT NULL CHECK (queue <> ''),
  name              text NOT NULL,
  owner             text NOT NULL,
  reason            text NOT NULL DEFAULT '',
  task              text NOT NULL,
  labels            text,
  infra_workers     bigint[] NOT NULL DEFAULT '{}',
  origin            text,
  origin_data       text,
  CONSTRAINT alive_or_final CHECK ((finished_at = 'infinity') = (state NOT IN ('succeeded', 'failed', 'cancelled')))
) PARTITION BY RANGE (finished_at);

-- MAXVALUE lies above infinity, so this range holds infinity alone.
CREATE TABLE jobs_live PARTITION OF jobs FOR VALUES FROM ('infinity') TO (MAXVALUE) WITH (fillfactor = 90);
CREATE INDEX jobs_live_ready ON jobs_live (queue, rank, number) WHERE state = 'queued' AND wake_at IS NULL;
CREATE INDEX jobs_live_wake ON jobs_live (wake_at) WHERE state = 'queued' AND wake_at IS NOT NULL;
-- The collation keeps the lists of a queue or a name off the index over all states: see queries/read_jobs_queue.sql.
CREATE INDEX jobs_live_state ON jobs_live (state, number);
CREATE INDEX jobs_live_queue ON jobs_live (queue, state COLLATE "C", number);
CREATE INDEX jobs_live_name ON jobs_live (name, state COLLATE "C", number);
-- Last, because between indexes that cost the same (all do while the table is empty) the planner takes the youngest.
ALTER TABLE jobs_live ADD PRIMARY KEY (number);

-- The net under the day partitions, and the pattern that make_partitions copies for them.
CREATE TABLE jobs_default PARTITION OF jobs DEFAULT;
CREATE INDEX jobs_default_state ON jobs_default (state, number);
CREATE INDEX jobs_default_queue ON jobs_default (queue, state COLLATE "C", number);
CREATE INDEX jobs_default_name ON jobs_default (name, state COLLATE "C", number);
ALTER TABLE jobs_default ADD PRIMARY KEY (number);

-- A claim inserts here and touches no job. wanted: what the running attempt is to become.
CREATE TABLE lease (
  number     bigint PRIMARY KEY,
  worker     bigint NOT NULL,
  started_at timestamptz NOT NULL,
  attempt    integer NOT NULL CHECK (attempt > 0),
  wanted     text NOT NULL DEFAULT 'running' CHECK (wanted IN ('running', 'held', 'suspended', 'cancelled')),
  nonce      text NOT NULL,
  token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32)
) WITH (fillfactor = 50);
CREATE INDEX lease_worker ON lease (worker);

-- Ended attempts. The token's hash stays, so that a repeated report is recognised.
CREATE TABLE attempt (
  number     bigint NOT NULL,
  worker     bigint NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at   timestamptz NOT NULL,
  attempt    integer NOT NULL CHECK (attempt > 0),
  exit_code  integer,
  signal     integer,
  outcome    text NOT NULL CHECK (outcome IN ('succeeded', 'failure', 'interruption', 'infra', 'stopped')),
  reason     text NOT NULL,
  token_hash bytea NOT NULL
) PARTITION BY RANGE (ended_at);
CREATE TABLE attempt_default PARTITION OF attempt DEFAULT;
CREATE INDEX attempt_default_number ON attempt_default (number, attempt);

CREATE TABLE dep (
  parent    bigint NOT NULL,
  child     bigint NOT NULL,
  kind      text NOT NULL,
  on_broken text NOT NULL,
  satisfied boolean NOT NULL DEFAULT false,
  PRIMARY KEY (parent, child)
);
CREATE INDEX dep_child ON dep (child);

CREATE TABLE job_label (
  label  text NOT NULL,
  number bigint NOT NULL,
  PRIMARY KEY (label, number)
);

CREATE TABLE idempotency (
  principal    text NOT NULL,
  operation    text NOT NULL,
  key          text NOT NULL,
  body_hash    bytea NOT NULL,
  first_number bigint NOT NULL,
  count        integer NOT NULL,
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (principal, operation, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE artifact (
  number     bigint NOT NULL,
  name       text NOT NULL CHECK (name <> ''),
  attempt    integer NOT NULL,
  size       bigint NOT NULL CHECK (size >= 0),
  sha256     bytea NOT NULL CHECK (octet_length(sha256) = 32),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (number, name, attempt)
);

-- ---- machines

CREATE TABLE pool (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name           text NOT NULL UNIQUE CHECK (name <> ''),
  version        bigint NOT NULL DEFAULT 1,
  blocked_reason text NOT NULL DEFAULT '',
  spec           text NOT NULL,
  changed_at     timestamptz NOT NULL
);

-- One intent is one cloud call. request holds the frozen parameters; the bootstrap token itself is never stored.
CREATE TABLE launch (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pool           bigint NOT NULL REFERENCES pool,
  created_at     timestamptz NOT NULL,
  changed_at     timestamptz NOT NULL,
  client_token   text NOT NULL UNIQUE CHECK (client_token <> '' AND octet_length(client_token) <= 64),
  bootstrap_hash bytea NOT NULL UNIQUE CHECK (octet_length(bootstrap_hash) = 32),
  state          text NOT NULL DEFAULT 'intended' CHECK (state IN ('intended', 'fulfilled', 'failed', 'closed')),
  reason         text NOT NULL,
  error          text NOT NULL DEFAULT '',
  request        text NOT NULL
);
CREATE INDEX launch_state ON launch (state, changed_at);
CREATE INDEX launch_failed ON launch (pool, id) WHERE error <> '';

CREATE TABLE worker (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pool          bigint NOT NULL REFERENCES pool,
  launch        bigint REFERENCES launch,
  created_at    timestamptz NOT NULL,
  registered_at timestamptz,
  last_seen     timestamptz,
  ended_at      timestamptz,
  cpus          double precision NOT NULL DEFAULT 0,
  mem_mib       bigint NOT NULL DEFAULT 0,
  disk_mib      bigint NOT NULL DEFAULT 0,
  gpus          integer NOT NULL DEFAULT 0,
  slots         integer NOT NULL CHECK (slots > 0),
  spot          boolean NOT NULL DEFAULT false,
  state         text NOT NULL DEFAULT 'starting'
                CHECK (state IN ('starting', 'active', 'draining', 'terminating', 'gone')),
  instance_id   text NOT NULL CHECK (instance_id <> ''),
  hostname      text NOT NULL DEFAULT '',
  instance_type text NOT NULL DEFAULT '',
  zone          text NOT NULL DEFAULT '',
  version       text NOT NULL DEFAULT '',
  reason        text NOT NULL DEFAULT '',
  nonce         text NOT NULL DEFAULT '',
  token_hash    bytea CHECK (octet_length(token_hash) = 32),
  CONSTRAINT registered_has_token CHECK ((registered_at IS NULL) = (token_hash IS NULL)),
  CONSTRAINT active_is_registered CHECK (state <> 'active' OR registered_at IS NOT NULL),
  CONSTRAINT gone_has_end CHECK ((state = 'gone') = (ended_at IS NOT NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX worker_instance_alive ON worker (instance_id) WHERE state <> 'gone';
CREATE INDEX worker_instance ON worker (instance_id, id);
CREATE INDEX worker_alive ON worker (id) WHERE state <> 'gone';
CREATE INDEX worker_launch ON worker (launch);

-- ---- what happened

-- Numbered by the committer, in commit order. epoch: of the leader that wrote it; (id, epoch) names one batch, which
-- tells whether a commit without a reply took place.
CREATE TABLE event (
  id      bigint NOT NULL,
  at      timestamptz NOT NULL,
  epoch   bigint NOT NULL,
  job     bigint,
  worker  bigint,
  launch  bigint,
  pool    bigint,
  attempt integer,
  kind    text NOT NULL,
  detail  text NOT NULL DEFAULT ''
) PARTITION BY RANGE (at);
CREATE TABLE event_default PARTITION OF event DEFAULT;
CREATE UNIQUE INDEX event_default_id ON event_default (id);

CREATE TABLE outbox (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind       text NOT NULL,
  payload    text NOT NULL,
  attempts   integer NOT NULL DEFAULT 0,
  next_at    timestamptz NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX outbox_next ON outbox (next_at);

-- ---- views: one shape of a row for every statement that answers it

CREATE VIEW job_row AS
SELECT j.number, j.id, j.queue, j.name, j.owner, j.rank, j.task, j.cpus, j.mem_mib, j.disk_mib, j.gpus, j.labels,
       j.max_attempts, j.max_interruptions, j.backoff_s, j.timeout_s, j.run_at, j.state, j.revision, j.attempts,
       j.failures, j.infra, j.interruptions, j.reason, j.created_at, j.started_at,
       nullif(j.finished_at, 'infinity') AS finished, j.wake_at, j.exit_code,
       l.attempt AS lease_attempt, l.wanted AS lease_wanted, l.started_at AS lease_started,
       w.instance_id AS lease_instance, j.finished_at
  FROM jobs j
  LEFT JOIN lease l ON l.number BETWEEN j.number AND j.number  -- not =: see queries/admin_session.sql
  LEFT JOIN worker w ON w.id BETWEEN l.worker AND l.worker;

-- What running and ending an attempt of a living job needs.
CREATE VIEW job_run AS
SELECT j.number, j.id, j.attempts, j.queue, j.name, j.rank, j.task, j.max_attempts, j.max_interruptions, j.backoff_s,
       j.failures, j.infra, j.interruptions, j.timeout_s, j.infra_workers,
       (SELECT max(a.attempt)
          FROM artifact a
         WHERE j.attempts > 0 AND a.number = j.number AND a.name = 'checkpoint.tar.gz'
           AND a.attempt <= j.attempts) AS checkpoint_attempt,
       j.state, j.wake_at
  FROM jobs j
 WHERE j.finished_at = 'infinity';

CREATE VIEW worker_row AS
SELECT w.id, w.instance_id, w.pool, p.name AS pool_name, w.launch, w.state, w.slots, w.cpus, w.mem_mib, w.disk_mib, w.gpus,
       w.hostname, w.instance_type, w.zone, w.spot, w.reason, w.token_hash, w.nonce, w.created_at, w.registered_at,
       w.last_seen, w.ended_at, p.spec AS pool_spec
  FROM worker w
  JOIN pool p ON p.id = w.pool;

CREATE VIEW launch_row AS
SELECT l.id, l.pool, p.name AS pool_name, l.request, l.state,
       (SELECT count(*) FROM worker w WHERE w.launch = l.id) AS instances, l.error, l.created_at,
       l.changed_at, l.bootstrap_hash
  FROM launch l
  JOIN pool p ON p.id = l.pool;

-- ---- partitions

-- The partitions of one day, for every table split by time; how many were made. Attaching, unlike CREATE … PARTITION OF,
-- does not lock the parent against readers. A day whose rows already lie in the default partition stays there, and a
-- lock that somebody holds for long is not waited for: the next call tries again, and the default partition serves meanwhile.
CREATE FUNCTION make_partitions(day date) RETURNS integer LANGUAGE plpgsql SET lock_timeout = '300ms' AS $$
DECLARE
  parent text;
  child  text;
  made   integer := 0;
BEGIN
  FOREACH parent IN ARRAY ARRAY['jobs', 'attempt', 'event'] LOOP
    child := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
    CONTINUE WHEN to_regclass(child) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent || '_default');
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child,
                     day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
      made := made + 1;
    EXCEPTION WHEN check_violation OR lock_not_available THEN
      NULL;
    END;
  END LOOP;
  RETURN made;
END
$$;
