SELECT pg_try_advisory_lock(1148350307, 1) AS locked
