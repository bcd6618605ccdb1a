-- Who may do what. PUBLIC gets what row-level security makes safe, and that is
-- nothing until an administrator grants the tables to the roles of the clients.

-- Subscribers see and touch their own rows only. The owner, as whom the worker
-- writes, is not bound by these.
ALTER TABLE @extschema@.user_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE @extschema@.user_signals ENABLE ROW LEVEL SECURITY;
-- The subselects are evaluated once per statement, not once per row.
CREATE POLICY own_rows ON @extschema@.user_subscriptions FOR SELECT USING (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows ON @extschema@.user_signals FOR SELECT USING (user_id = (SELECT @extschema@.current_subscriber()));
CREATE POLICY own_rows_marked ON @extschema@.user_signals FOR UPDATE
    USING (user_id = (SELECT @extschema@.current_subscriber())) WITH CHECK (user_id = (SELECT @extschema@.current_subscriber()));
COMMENT ON POLICY own_rows ON @extschema@.user_subscriptions IS 'subscribers read their own row';
COMMENT ON POLICY own_rows ON @extschema@.user_signals IS 'subscribers read their own rows';
COMMENT ON POLICY own_rows_marked ON @extschema@.user_signals IS 'subscribers change their own rows, in the columns granted to them';

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
REVOKE ALL ON FUNCTION @extschema@.signal_hub_stamp_marks() FROM PUBLIC;
-- These change who sees what.
REVOKE ALL ON FUNCTION @extschema@.enable_realtime(name, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.disable_realtime(name) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.grant_realtime_access(name, name, name) FROM PUBLIC;
-- Of no use without the table; grant_realtime_access() gives both.
REVOKE ALL ON FUNCTION @extschema@.signals_since(text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_transactions() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_replication() FROM PUBLIC;
-- current_subscriber() stays with PUBLIC: policies call it as the client, and it
-- tells a session only what its own claims say.

-- Default privileges may have given away what was created here, the ledger with
-- every price included: on some platforms they give all to every client.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT o.kind, o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
          FROM (SELECT c.oid, 'pg_class'::regclass AS catalog, 'TABLE' AS kind, c.oid::regclass::text AS name, c.relowner AS owner, c.relacl AS acl
                  FROM pg_class c
                 UNION ALL
                SELECT p.oid, 'pg_proc'::regclass, 'FUNCTION', p.oid::regprocedure::text, p.proowner, p.proacl FROM pg_proc p) o
          JOIN pg_depend d ON d.classid = o.catalog AND d.objid = o.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'signal_hub'
         CROSS JOIN LATERAL aclexplode(o.acl) a
         WHERE a.grantee <> o.owner AND (a.grantee <> 0 OR o.kind = 'TABLE')
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee);
    END LOOP;
END
$$;

-- Health and history carry nothing of subscribers but the id of one whose row
-- was refused.
GRANT SELECT ON @extschema@.signal_health, @extschema@.signal_stats, @extschema@.signal_runs, @extschema@.signal_symbols,
    @extschema@.signal_rules, @extschema@.signal_tiers, @extschema@.signal_pause, @extschema@.signal_delivery_progress TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_worker_status(), @extschema@.signal_hub_replication() TO pg_monitor;

-- Last: the worker starts when CREATE EXTENSION commits.
SELECT @extschema@.start_signal_worker();
