-- JIT makes batches ten times slower. The tables grow long after a plan was cached, so plans must not depend on how small
-- they were: every statement goes through an index, joined by nested loops.
SELECT set_config('jit', 'off', false),
       set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_bitmapscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false),
       set_config('TimeZone', 'UTC', false),
       set_config('client_connection_check_interval', '1s', false),
       set_config('statement_timeout', $1::text, false),
       set_config('idle_session_timeout', $2::text, false),
       set_config('idle_in_transaction_session_timeout', $2::text, false),
       set_config('default_transaction_read_only', $3::text, false)
