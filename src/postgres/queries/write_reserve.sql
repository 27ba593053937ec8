-- Does not wait for the WAL: the commit of a job with one of these numbers flushes this record too. (set_config is for this
-- statement's transaction.)
SELECT setval('job_number', nextval('job_number') + $1::bigint - 1) - $1::bigint + 1 AS first_number,
       set_config('synchronous_commit', 'off', true) AS synchronous_commit
