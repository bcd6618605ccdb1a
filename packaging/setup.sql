-- Makes a database ready for signal_hub and signal_hub_live: run it once, as a superuser, after
-- signal_hub is in shared_preload_libraries and wal_level is logical. It can be run again.
\set ON_ERROR_STOP on
CREATE EXTENSION IF NOT EXISTS signal_hub;
-- Whose rights subscribers have.
SELECT 'CREATE ROLE authenticated' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticated')
\gexec
-- The service. Over a socket it is known by its user; elsewhere give it a password.
SELECT 'CREATE ROLE "signal-hub" LOGIN REPLICATION' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'signal-hub')
\gexec
GRANT authenticated, pg_monitor TO "signal-hub";
-- What the service does for subscribers, with no other rights than theirs. It needs a password.
SELECT 'CREATE ROLE signal_hub_subscribers LOGIN NOINHERIT' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'signal_hub_subscribers')
\gexec
GRANT authenticated TO signal_hub_subscribers;
SELECT enable_realtime();
SELECT grant_realtime_access();
