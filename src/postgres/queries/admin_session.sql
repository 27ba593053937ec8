-- JIT makes batches ten times slower. The tables grow long after a plan was cached, so no plan may depend on how small they
-- were: whatever has another way goes through an index, in its order, joined by nested loops. An equality between two
-- tables would still let the planner start at the one that happens to be empty, walking its whole index later; so joins
-- to tables that grow say BETWEEN, which serves an index condition and nothing else, or LATERAL … LIMIT 1.
SELECT set_config('jit', 'off', false),
       set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_bitmapscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false),
       set_config('enable_sort', 'off', false),
       set_config('TimeZone', 'UTC', false),
       set_config('client_connection_check_interval', '1s', false),
       set_config('statement_timeout', $1::text, false),
       set_config('idle_session_timeout', $2::text, false),
       set_config('idle_in_transaction_session_timeout', $2::text, false),
       set_config('default_transaction_read_only', $3::text, false)
