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
