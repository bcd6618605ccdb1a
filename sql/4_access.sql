-- Who may do what. PUBLIC gets what row-level security makes safe, and that is
-- nothing until an administrator grants the tables to the roles of the clients.

-- Subscribers see and touch their own rows only. The owner, as whom the worker
-- writes, is not bound by these.
ALTER TABLE user_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_signals ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_signal_quotas ENABLE ROW LEVEL SECURITY;
-- The subselects are evaluated once per statement, not once per row.
CREATE POLICY own_rows ON user_subscriptions FOR SELECT USING (user_id = (SELECT current_subscriber()));
CREATE POLICY own_rows ON user_signals FOR SELECT USING (user_id = (SELECT current_subscriber()));
CREATE POLICY own_rows_marked ON user_signals FOR UPDATE
    USING (user_id = (SELECT current_subscriber())) WITH CHECK (user_id = (SELECT current_subscriber()));
CREATE POLICY own_rows ON user_signal_quotas FOR SELECT USING (user_id = (SELECT current_subscriber()));

-- A function that reaches out of the server is a door: closed to PUBLIC.
REVOKE ALL ON FUNCTION generate_signals_now() FROM PUBLIC;
REVOKE ALL ON FUNCTION preview_signals() FROM PUBLIC;
-- These decide whether signals flow.
REVOKE ALL ON FUNCTION pause_signals(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION resume_signals() FROM PUBLIC;
REVOKE ALL ON FUNCTION start_signal_worker() FROM PUBLIC;
-- Process ids and times of the server's processes.
REVOKE ALL ON FUNCTION signal_worker_status() FROM PUBLIC;
-- Trigger functions are called by their triggers only.
REVOKE ALL ON FUNCTION signal_hub_set_updated_at() FROM PUBLIC;
REVOKE ALL ON FUNCTION signal_hub_replace_shipped_row() FROM PUBLIC;
-- current_subscriber() stays with PUBLIC: policies call it as the client, and it
-- tells a session only what its own claims say.

-- Health and history carry no subscriber's data.
GRANT SELECT ON signal_health, signal_stats, signal_runs, signal_symbols, signal_rules, signal_tiers, signal_pause TO pg_monitor;
GRANT EXECUTE ON FUNCTION signal_worker_status() TO pg_monitor;

-- Last: the worker starts when CREATE EXTENSION commits.
SELECT start_signal_worker();
