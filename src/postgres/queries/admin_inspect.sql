-- What can be said of a database that may be empty. The lock is the leader's (write_lead_lock); looking at it takes nothing.
SELECT current_setting('server_version_num')::integer,
       current_setting('fsync') = 'on',
       current_setting('full_page_writes') = 'on',
       pg_is_in_recovery(),
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
       to_regclass('schema_migrations') IS NOT NULL,
       EXISTS (SELECT
                 FROM pg_locks l
                WHERE l.locktype = 'advisory' AND l.granted
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND l.classid = 1148350307 AND l.objid = 1 AND l.objsubid = 2)
