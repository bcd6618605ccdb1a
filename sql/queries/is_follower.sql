-- Whether the login may read the replication stream, and it is the login that asks: not code of others that
-- runs while a superuser analyzes or reindexes their table. From a table of this server, so that Citus
-- asks here and not on its nodes, which see another login.
(SELECT (r.rolreplication OR r.rolsuper) AND NOT @extschema@.signal_hub_in_restricted_operation()
   FROM pg_roles r WHERE r.rolname = session_user)
