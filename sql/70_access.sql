-- Part: access
-- Who may do what. PUBLIC gets what row-level security makes safe, and that is
-- nothing until an administrator grants the tables to the roles of the clients.
--
-- An update runs what is said here of new objects. What users have granted and
-- revoked on the others stays. Each statement is about one object, so that this can
-- be told.

-- These connect to another server, so PUBLIC may not call them.
REVOKE ALL ON FUNCTION @extschema@.generate_signals_now() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.preview_signals() FROM PUBLIC;
-- These decide whether signals flow.
REVOKE ALL ON FUNCTION @extschema@.pause_signals(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.resume_signals() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.retry_refused_deliveries() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.start_signal_worker() FROM PUBLIC;
-- Process ids and times of the server's processes.
REVOKE ALL ON FUNCTION @extschema@.signal_worker_status() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_worker_history() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_reach(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_is_node() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_is_sharded() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_nodes() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_refuse_if_sharded(text) FROM PUBLIC;
-- The library reads it in the catalogs.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_build() FROM PUBLIC;
-- Trigger functions are called by their triggers only.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_set_updated_at() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_replace_shipped_row() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_stamp_marks() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_tier_exists() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_record_rule_version() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_add_rule_version() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_keep_rule_versions() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_check_preferences() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_limit_push() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_rule_parameters(@extschema@.signal_rules) FROM PUBLIC;
-- It reads what its caller may read, and works hard for it.
REVOKE ALL ON FUNCTION @extschema@.replay_signals(text, text, jsonb, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.replay_track_record(text, text, jsonb, text, text[], integer, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_day_shifts(text, text, jsonb, integer, text) FROM PUBLIC;
-- These read all outcomes as the owner.
REVOKE ALL ON FUNCTION @extschema@.signal_track_record(timestamptz, timestamptz, text[], integer, text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_trials() FROM PUBLIC;
-- Of use only together with these.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_best_by_luck(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_normal(double precision) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_normal_quantile(double precision) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_tell_trials(bigint, numeric) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_track_groups(text[], integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_track_record(
    text[], text[], text[], text[], numeric[], timestamptz[], timestamptz[], text[], integer[], integer[], text[],
    numeric[], numeric[], numeric[], text[], boolean[], text[], integer, text[], bigint) FROM PUBLIC;
-- What it prints may tell how a site is built.
REVOKE ALL ON FUNCTION @extschema@.dump_user_additions() FROM PUBLIC;
-- These change who sees what.
REVOKE ALL ON FUNCTION @extschema@.enable_realtime(name, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.disable_realtime(name) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.grant_realtime_access(name, name, name) FROM PUBLIC;
-- These are of use only together with the table; grant_realtime_access() gives both.
REVOKE ALL ON FUNCTION @extschema@.signals_since(text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_transactions() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_transactions_for(uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_signals_on_node(text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_replication() FROM PUBLIC;
-- These read all outcomes, which takes time.
REVOKE ALL ON FUNCTION @extschema@.verify_track_record(bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.track_record_digest(date) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_outcome_opened(@extschema@.signal_outcomes) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_outcome_settled(@extschema@.signal_outcomes) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_keep_outcomes() FROM PUBLIC;
-- Policies and views call these; grant_realtime_access() gives both.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_open_signals() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_shows_prices() FROM PUBLIC;
-- These tell about a subscriber as the owner; grant_realtime_access() gives each to whom it is for.
REVOKE ALL ON FUNCTION @extschema@.subscriber_status(uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.subscriber_status() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_read_subscriber(
    uuid, regclass, regclass, regclass, regclass, bigint, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_time_of_day(timestamptz, text) FROM PUBLIC;
-- It decides who is served first.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_in_restricted_operation() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_keep_watchers(name, uuid[], uuid[], uuid[], uuid[]) FROM PUBLIC;
-- Endpoints and secrets of all.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_push_subscribers() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_push_targets(uuid[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_claim_push(uuid, name, uuid[], bigint[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_push_results(uuid[], text[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_move_push(uuid, text, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_list_push(regclass, regclass, uuid[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_write_push(regclass, boolean, uuid[], text[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_replace_push(regclass, boolean, uuid, text, text, text, text, text)
    FROM PUBLIC;
-- These read and write tables of others, and decide who receives.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_run_as(oid, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_refuse_lost_column(regclass, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_take_over(regclass, jsonb, uuid[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_renew_adopted(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_lock_adopted(oid, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_follow_subscriptions() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_copy_signals() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_copy_prices() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_write_copies(regclass, text, text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.adopt_subscriptions(regclass, name, name, name, name, jsonb, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.adopt_signals(regclass, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.abandon_table(regclass) FROM PUBLIC;
-- These move tables between servers.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_write_policies(boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_tables_to_shard() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.enable_citus() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.disable_citus() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_prepare_nodes(name) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_nodes_to_follow() FROM PUBLIC;
-- grant_realtime_access() gives it to whom it is for.
REVOKE ALL ON FUNCTION @extschema@.forward_claims() FROM PUBLIC;
-- Of use only together with signal_metrics.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_count_runs(bigint, bigint) FROM PUBLIC;
-- current_subscriber() stays with PUBLIC: policies call it as the client, and it
-- returns nothing but what the claims of the session itself say.

-- Default privileges may have given away what was created here, the ledger with
-- every price included: on some platforms they give all to every client.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT o.kind, o.name,
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
          FROM (SELECT c.oid, 'pg_class'::regclass AS catalog, 'TABLE' AS kind, c.oid::regclass::text AS name,
                       c.relowner AS owner, c.relacl AS acl
                  FROM pg_class c
                 UNION ALL
                SELECT p.oid, 'pg_proc'::regclass, 'FUNCTION', p.oid::regprocedure::text, p.proowner, p.proacl
                  FROM pg_proc p) o
          JOIN pg_depend d ON d.classid = o.catalog AND d.objid = o.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                             AND e.extname = 'signal_hub'
         CROSS JOIN LATERAL aclexplode(o.acl) a
         WHERE a.grantee <> o.owner AND (a.grantee <> 0 OR o.kind = 'TABLE')
           -- In an update, only what is new. In the install script there was nothing before.
           AND NOT EXISTS (
               SELECT FROM jsonb_to_recordset(nullif(current_setting('signal_hub_update.members'), '')::jsonb)
                           AS b (catalog oid, oid oid)
                WHERE b.catalog = o.catalog AND b.oid = o.oid)
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee);
    END LOOP;
END
$$;

-- The only thing that health and history say of subscribers is the id of one whose
-- row was refused.
GRANT SELECT ON @extschema@.signal_health TO pg_monitor;
GRANT SELECT ON @extschema@.signal_stats TO pg_monitor;
GRANT SELECT ON @extschema@.signal_uptime TO pg_monitor;
GRANT SELECT ON @extschema@.signal_runs TO pg_monitor;
GRANT SELECT ON @extschema@.signal_symbols TO pg_monitor;
GRANT SELECT ON @extschema@.signal_rules TO pg_monitor;
GRANT SELECT ON @extschema@.signal_rule_versions TO pg_monitor;
GRANT SELECT ON @extschema@.signal_daily_candles TO pg_monitor;
GRANT SELECT ON @extschema@.signal_exchanges TO pg_monitor;
GRANT SELECT ON @extschema@.signal_instruments TO pg_monitor;
GRANT SELECT ON @extschema@.signal_protections TO pg_monitor;
GRANT SELECT ON @extschema@.signal_forecasts TO pg_monitor;
GRANT SELECT ON @extschema@.signal_tiers TO pg_monitor;
GRANT SELECT ON @extschema@.signal_prices TO pg_monitor;
GRANT SELECT ON @extschema@.signal_pause TO pg_monitor;
GRANT SELECT ON @extschema@.signal_delivery_progress TO pg_monitor;
GRANT SELECT ON @extschema@.signal_reach TO pg_monitor;
GRANT SELECT ON @extschema@.signal_hub_missed TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_worker_status() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.dump_user_additions() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_keep_watchers(name, uuid[], uuid[], uuid[], uuid[]) TO pg_monitor;
GRANT SELECT ON @extschema@.signal_hub_shipped_parts TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_worker_history() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_reach(text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_is_node() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_nodes() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_transactions_for(uuid) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_nodes_to_follow() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_replication() TO pg_monitor;
GRANT SELECT ON @extschema@.signal_outcomes TO pg_monitor;
GRANT SELECT ON @extschema@.signal_outcome_chain TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.verify_track_record(bytea) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.track_record_digest(date) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_outcome_opened(@extschema@.signal_outcomes) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_outcome_settled(@extschema@.signal_outcomes) TO pg_monitor;
-- For the policies of signal_outcomes; of a session without a subscriber they say nothing.
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_open_signals() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_shows_prices() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.replay_signals(text, text, jsonb, text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.replay_track_record(text, text, jsonb, text, text[], integer, text)
    TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_day_shifts(text, text, jsonb, integer, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_track_record(timestamptz, timestamptz, text[], integer, text[])
    TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_trials() TO pg_monitor;
GRANT SELECT ON @extschema@.signal_track_record TO pg_monitor;
GRANT SELECT ON @extschema@.signal_track_record_daily TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_best_by_luck(bigint) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_normal(double precision) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_normal_quantile(double precision) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_tell_trials(bigint, numeric) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_track_groups(text[], integer) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_track_record(
    text[], text[], text[], text[], numeric[], timestamptz[], timestamptz[], text[], integer[], integer[], text[],
    numeric[], numeric[], numeric[], text[], boolean[], text[], integer, text[], bigint) TO pg_monitor;
GRANT SELECT ON @extschema@.signal_price_path TO pg_monitor;
GRANT SELECT ON @extschema@.signal_metrics TO pg_monitor;
GRANT SELECT ON @extschema@.signal_run_totals TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_count_runs(bigint, bigint) TO pg_monitor;
-- For the login of the live service; these functions ask for REPLICATION.
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_push_subscribers() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_push_targets(uuid[]) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_claim_push(uuid, name, uuid[], bigint[]) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_push_results(uuid[], text[], text[]) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_move_push(uuid, text, text, text, text, text) TO pg_monitor;
