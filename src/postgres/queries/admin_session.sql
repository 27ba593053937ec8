-- JIT makes batches ten times slower. The tables grow long after a plan was cached, so no plan may depend on how small they
-- were: whatever has another way goes through an index, in its order, joined by nested loops. An equality between two
-- tables would still let the planner start at the one that happens to be empty, walking its whole index later; so joins
-- to tables that grow say BETWEEN, which serves an index condition and nothing else, or LATERAL … LIMIT 1.
SELECT set_config('jit', 'off', false) AS jit,
       set_config('plan_cache_mode', 'force_generic_plan', false) AS plan_cache_mode,
       set_config('enable_seqscan', 'off', false) AS enable_seqscan,
       set_config('enable_bitmapscan', 'off', false) AS enable_bitmapscan,
       set_config('enable_hashjoin', 'off', false) AS enable_hashjoin,
       set_config('enable_mergejoin', 'off', false) AS enable_mergejoin,
       set_config('enable_sort', 'off', false) AS enable_sort,
       set_config('TimeZone', 'UTC', false) AS timezone,
       set_config('client_connection_check_interval', '1s', false) AS client_connection_check_interval,
       set_config('statement_timeout', $1::text, false) AS statement_timeout,
       set_config('idle_session_timeout', $2::text, false) AS idle_session_timeout,
       set_config('idle_in_transaction_session_timeout', $2::text, false) AS idle_in_transaction_session_timeout,
       set_config('default_transaction_read_only', $3::text, false) AS default_transaction_read_only
