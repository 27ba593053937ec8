-- The transaction's own id, before anything depends on it; the epoch, which a later leader would have raised.
SELECT pg_current_xact_id()::text AS xid, epoch FROM leader
