SELECT pg_advisory_lock(1148350307, 2)
