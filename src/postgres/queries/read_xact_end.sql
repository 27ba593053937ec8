SELECT count(pg_terminate_backend(pid)) AS ended
  FROM pg_stat_activity
 WHERE backend_xid = $1::text::xid8::xid AND datname = current_database()
