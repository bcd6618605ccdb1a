-- Who may do what. PUBLIC gets what row-level security makes safe, and that is
-- nothing until an administrator grants the tables to the roles of the clients.

-- Subscribers see and touch their own rows only. The owner, as whom the worker
-- writes, is not bound by these.
ALTER TABLE @extschema@.user_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE @extschema@.user_signals ENABLE ROW LEVEL SECURITY;
ALTER TABLE @extschema@.user_signal_quotas ENABLE ROW LEVEL SECURITY;
-- The subselects are evaluated once per statement, not once per row.
CREATE POLICY own_rows ON @extschema@.user_subscriptions FOR SELECT USING (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows ON @extschema@.user_signals FOR SELECT USING (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows_marked ON @extschema@.user_signals FOR UPDATE
    USING (user_id = (SELECT @extschema@.current_subscriber())) WITH CHECK (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows ON @extschema@.user_signal_quotas FOR SELECT USING (user_id = (SELECT @extschema@.current_subscriber()));

-- A function that reaches out of the server is a door: closed to PUBLIC.
REVOKE ALL ON FUNCTION @extschema@.generate_signals_now() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.preview_signals() FROM PUBLIC;
-- These decide whether signals flow.
REVOKE ALL ON FUNCTION @extschema@.pause_signals(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.resume_signals() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.start_signal_worker() FROM PUBLIC;
-- Process ids and times of the server's processes.
REVOKE ALL ON FUNCTION @extschema@.signal_worker_status() FROM PUBLIC;
-- Trigger functions are called by their triggers only.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_set_updated_at() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_replace_shipped_row() FROM PUBLIC;
-- current_subscriber() stays with PUBLIC: policies call it as the client, and it
-- tells a session only what its own claims say.

-- Health and history carry nothing of subscribers but the id of one whose row
-- was refused.
GRANT SELECT ON @extschema@.signal_health, @extschema@.signal_stats, @extschema@.signal_runs, @extschema@.signal_symbols,
    @extschema@.signal_rules, @extschema@.signal_tiers, @extschema@.signal_pause TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_worker_status() TO pg_monitor;

-- Last: the worker starts when CREATE EXTENSION commits.
SELECT @extschema@.start_signal_worker();
