-- Part: replaceable
-- Subscribers see and touch their own rows only. Policies do not bind the owner of
-- the tables, which is the role that the worker writes as.
--
-- The subselects are evaluated once per statement, not once per row.
CREATE POLICY own_rows ON @extschema@.user_subscriptions FOR SELECT
    USING (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows ON @extschema@.user_signals FOR SELECT
    USING (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows_marked ON @extschema@.user_signals FOR UPDATE
    USING (user_id = (SELECT @extschema@.current_subscriber()))
    WITH CHECK (user_id = (SELECT @extschema@.current_subscriber()));
COMMENT ON POLICY own_rows ON @extschema@.user_subscriptions IS 'subscribers read their own row';
COMMENT ON POLICY own_rows ON @extschema@.user_signals IS 'subscribers read their own rows';
COMMENT ON POLICY own_rows_marked ON @extschema@.user_signals IS
    'subscribers change their own rows, in the columns granted to them';

-- While a signal is open its outcome is for who received it, so that nothing tells others of it.
CREATE POLICY received_or_settled ON @extschema@.signal_outcomes FOR SELECT
    USING (CASE state WHEN 'open' THEN signal_id IN (SELECT @extschema@.signal_hub_open_signals())
                      ELSE (SELECT @extschema@.signal_hub_shows_prices()) IS NOT NULL END);
CREATE POLICY monitors ON @extschema@.signal_outcomes FOR SELECT TO pg_monitor USING (true);
COMMENT ON POLICY received_or_settled ON @extschema@.signal_outcomes IS
    'subscribers read the outcomes of signals that they received, and all that are settled';
COMMENT ON POLICY monitors ON @extschema@.signal_outcomes IS 'pg_monitor reads all outcomes';
