-- What can be said of a database that may be empty. The lock is the leader's (write_lead_lock); looking at it takes nothing.
SELECT current_setting('server_version_num')::integer AS server_version,
       current_setting('fsync') = 'on' AS fsync,
       current_setting('full_page_writes') = 'on' AS full_page_writes,
       pg_is_in_recovery() AS standby,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
       to_regclass('schema_migrations') IS NOT NULL AS has_schema,
       EXISTS (SELECT
                 FROM pg_locks l
                WHERE l.locktype = 'advisory' AND l.granted
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND l.classid = 1148350307 AND l.objid = 1 AND l.objsubid = 2) AS led
