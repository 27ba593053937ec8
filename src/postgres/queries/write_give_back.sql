-- Only the leader reserves numbers. Like write_reserve.sql it does not wait for the WAL: a crash that loses it leaves a gap.
SELECT setval('job_number', $1::bigint, false) AS next_number,
       set_config('synchronous_commit', 'off', true) AS synchronous_commit
  FROM job_number
 WHERE is_called AND last_value = $1::bigint + $2::bigint - 1
