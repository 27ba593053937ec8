-- The server's timeouts end a leader's session that is silent between two statements. One whose daemon was stopped or cut off
-- in the middle of sending a batch, or of reading an answer, has no such limit: whoever wants to lead ends it. An answer is
-- given twice the time, since a long one may be on its way.
SELECT pg_terminate_backend(a.pid) AS ended
  FROM pg_locks l
  JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.classid = 1148350307 AND l.objid = 1 AND l.objsubid = 2
   AND a.state = 'active' AND a.wait_event_type = 'Client'
   AND clock_timestamp() - a.query_start > $1::bigint * interval '1 ms' * CASE a.wait_event WHEN 'ClientRead' THEN 1 ELSE 2 END
