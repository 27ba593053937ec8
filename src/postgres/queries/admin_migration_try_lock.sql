SELECT pg_try_advisory_lock(1148350307, 2) AS locked
