-- Part: replaceable
-- PostgreSQL takes the definition of an extension's tables from CREATE EXTENSION alone,
-- so no dump has what users add to them. The names below are what the extension ships; a
-- test finds what is missing there.
CREATE OR REPLACE FUNCTION @extschema@.dump_user_additions(OUT section text, OUT statement text)
    RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH shipped (table_name, columns, constraints, indexes, triggers, policies) AS (
        VALUES
        ('signal_delivery_ranges',
         'range_id signal_id tier changed_only next_user_id last_user_id deliveries',
         'signal_delivery_ranges_pkey',
         'signal_delivery_ranges_pkey',
         '',
         ''),
        ('signal_episodes',
         'strategy symbol side since last_signal_at',
         'signal_episodes_pkey|signal_episodes_side_check',
         'signal_episodes_pkey',
         '',
         ''),
        ('signal_pause',
         'only_row reason paused_at paused_by',
         'signal_pause_only_row_check|signal_pause_pkey',
         'signal_pause_pkey',
         '',
         ''),
        ('signal_rules',
         'strategy enabled enter_change_percent exit_change_percent min_quote_volume confidence_per_percent '
         'max_confidence min_confidence min_quality stop_loss_percent take_profit_percents lifetime cooldown '
         'max_ticker_age max_signals_per_run shipped',
         'exit_change_percent must be below enter_change_percent|confidence_per_percent must be above 0|'
         'cooldown must not be negative|enter_change_percent must be above 0|'
         'exit_change_percent must not be negative|lifetime must be above 0|'
         'max_confidence must be from 0 to 100|max_signals_per_run must be above 0|'
         'max_ticker_age must be above 0|min_confidence must be from 0 to 100|'
         'min_quality must be from 0 to 100|min_quote_volume must be above 0|signal_rules_pkey|signal_rules_usable|'
         'stop_loss_percent must be above 0 and below 100|signal_rules_strategy_check|'
         'take_profit_percents must be 1 to 10 numbers above 0',
         'signal_rules_pkey',
         'replace_shipped_row',
         ''),
        ('signal_run_days',
         'day due made failed paused disabled longest_gap state accounted_until last_good_at run_interval',
         'signal_run_days_pkey|state is running, paused or disabled',
         'signal_run_days_pkey',
         '',
         ''),
        ('signal_runs',
         'run_id trigger status started_at finished_at symbols_evaluated signals_generated deliveries '
         'delivery_failures fetch_ms judge_ms record_ms deliver_ms message error sqlstate retry_at '
         'exchange_url',
         'signal_runs_pkey|signal_runs_status_check|signal_runs_trigger_check',
         'signal_runs_error_idx signal_runs_pkey signal_runs_signals_idx signal_runs_started_at_idx',
         '',
         ''),
        ('signal_symbols',
         'symbol enabled base_asset quote_asset tick_size status status_why last_seen_at checked_at shipped',
         'signal_symbols_pkey|signal_symbols_status_check|signal_symbols_symbol_check|'
         'signal_symbols_tick_size_check|signal_symbols_tick_size_usable',
         'signal_symbols_pkey',
         'replace_shipped_row',
         ''),
        ('signal_tiers',
         'tier enabled daily_quota full_details priority shipped',
         'daily_quota must not be negative|signal_tiers_pkey|tier must not be empty',
         'signal_tiers_pkey',
         'replace_shipped_row',
         ''),
        ('signals',
         'signal_id run_id strategy symbol signal_type reason why confidence quality_score entry_price '
         'take_profit stop_loss expires_at price_change_percent last_price open_price high_price low_price '
         'bid_price ask_price weighted_average_price base_volume quote_volume trade_count open_time '
         'close_time gates created_at delivered_tiers delivery_changed_only delivery_tier '
         'delivery_next_user_id delivery_started_at deliveries delivery_failures delivered_at',
         'signals_check|signals_confidence_check|signals_entry_price_check|signals_pkey|'
         'signals_quality_score_check|signals_signal_type_check|signals_stop_loss_check',
         'signals_created_at_idx signals_pkey signals_undelivered_idx',
         '',
         ''),
        ('user_signals',
         'user_id signal_id tier symbol signal_type confidence quality_score entry_price take_profit '
         'stop_loss expires_at full_details metadata viewed viewed_at clicked clicked_at created_at',
         'user_signals_pkey|user_signals_signal_type_check',
         'user_signals_pkey',
         'stamp_marks',
         'own_rows own_rows_marked'),
        ('user_subscriptions',
         'user_id tier status current_period_end created_at updated_at',
         'user_subscriptions_pkey|status must be active, trialing, past_due, canceled or paused|'
         'user_subscriptions_tier_fkey',
         'user_subscriptions_pkey user_subscriptions_tier_user_id_idx user_subscriptions_updated_at_idx',
         'set_updated_at tier_exists',
         'own_rows')
    ), member AS (
        SELECT c.oid, c.oid::regclass::text AS name, c.relname, c.relowner, c.relreplident, c.relrowsecurity,
               c.relforcerowsecurity, e.extowner,
               string_to_array(s.columns, ' ') AS columns, string_to_array(s.constraints, '|') AS constraints,
               string_to_array(s.indexes, ' ') AS indexes, string_to_array(s.triggers, ' ') AS triggers,
               string_to_array(s.policies, ' ') AS policies
          FROM pg_extension e
          JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                          AND d.classid = 'pg_class'::regclass
          JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'p')
          JOIN shipped s ON s.table_name = c.relname
         WHERE e.extname = 'signal_hub'
    ), added (section, place, name, statement) AS (
        SELECT 'pre-data', 1, format('%s %s', m.name, to_char(a.attnum, '00000')),
               format('ALTER TABLE %s ADD COLUMN %I %s%s%s%s', m.name, a.attname,
                      format_type(a.atttypid, a.atttypmod),
                      CASE WHEN a.attcollation <> t.typcollation
                           THEN format(' COLLATE %I.%I', n.nspname, l.collname) ELSE '' END,
                      CASE WHEN a.attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
                           WHEN a.attidentity = 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY'
                           WHEN a.attgenerated = 's'
                           THEN format(' GENERATED ALWAYS AS (%s) STORED', pg_get_expr(v.adbin, v.adrelid))
                           WHEN a.attgenerated <> ''
                           THEN format(' GENERATED ALWAYS AS (%s)', pg_get_expr(v.adbin, v.adrelid))
                           WHEN v.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(v.adbin, v.adrelid)
                           ELSE '' END,
                      CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END)
          FROM member m
          JOIN pg_attribute a ON a.attrelid = m.oid AND a.attnum > 0 AND NOT a.attisdropped
                             AND a.attname::text <> ALL (m.columns)
          JOIN pg_type t ON t.oid = a.atttypid
          LEFT JOIN pg_collation l ON l.oid = a.attcollation
          LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
          LEFT JOIN pg_attrdef v ON v.adrelid = a.attrelid AND v.adnum = a.attnum
         UNION ALL
        SELECT 'post-data', 2, m.name, format('ALTER TABLE %s OWNER TO %s', m.name, m.relowner::regrole)
          FROM member m WHERE m.relowner <> m.extowner
         UNION ALL
        -- Keys before the foreign keys that refer to them.
        SELECT 'post-data', CASE WHEN k.contype = 'f' THEN 6 ELSE 3 END, format('%s %s', m.name, k.conname),
               format('ALTER TABLE %s ADD CONSTRAINT %I %s', m.name, k.conname, pg_get_constraintdef(k.oid))
          FROM member m
          JOIN pg_constraint k ON k.conrelid = m.oid AND k.contype IN ('c', 'u', 'p', 'x', 'f')
                              AND k.conname::text <> ALL (m.constraints)
         UNION ALL
        SELECT 'post-data', 4, format('%s %s', m.name, i.relname), pg_get_indexdef(x.indexrelid)
          FROM member m
          JOIN pg_index x ON x.indrelid = m.oid
          JOIN pg_class i ON i.oid = x.indexrelid AND i.relname::text <> ALL (m.indexes)
         WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.conrelid = m.oid
                                                         AND k.contype IN ('u', 'p', 'x'))
         UNION ALL
        SELECT 'post-data', 5, m.name,
               format('ALTER TABLE %s REPLICA IDENTITY %s', m.name,
                      CASE m.relreplident
                          WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
                          ELSE format('USING INDEX %I', (SELECT i.relname FROM pg_index x
                                                           JOIN pg_class i ON i.oid = x.indexrelid
                                                          WHERE x.indrelid = m.oid AND x.indisreplident)) END)
          FROM member m WHERE m.relreplident <> 'd'
         UNION ALL
        SELECT 'post-data', 7, format('%s %s', m.name, g.tgname), g.statement
          FROM member m
         CROSS JOIN LATERAL (
             SELECT t.tgname, pg_get_triggerdef(t.oid) AS statement
               FROM pg_trigger t
              WHERE t.tgrelid = m.oid AND NOT t.tgisinternal AND t.tgname::text <> ALL (m.triggers)
              UNION ALL
             SELECT t.tgname || ' enabled',
                    format('ALTER TABLE %s %s TRIGGER %I', m.name,
                           CASE t.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA'
                                            ELSE 'DISABLE' END, t.tgname)
               FROM pg_trigger t
              WHERE t.tgrelid = m.oid AND NOT t.tgisinternal AND t.tgname::text <> ALL (m.triggers)
                AND t.tgenabled <> 'O') g
         UNION ALL
        SELECT 'post-data', 8, format('%s %s', m.name, r.rulename), rtrim(pg_get_ruledef(r.oid), ';')
          FROM member m JOIN pg_rewrite r ON r.ev_class = m.oid
         UNION ALL
        SELECT 'post-data', 9, format('%s %s', m.name, p.polname),
               format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, m.name,
                      CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                      CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                    WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                      (SELECT string_agg(CASE r.oid WHEN 0 THEN 'PUBLIC' ELSE r.oid::regrole::text END, ', ')
                         FROM unnest(p.polroles) AS r (oid)),
                      coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', ''),
                      coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', ''))
          FROM member m JOIN pg_policy p ON p.polrelid = m.oid AND p.polname::text <> ALL (m.policies)
         UNION ALL
        SELECT 'post-data', 10, m.name,
               format('ALTER TABLE %s %s ROW LEVEL SECURITY', m.name,
                      CASE WHEN m.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END)
          FROM member m WHERE m.relrowsecurity <> (m.policies <> '{}')
         UNION ALL
        SELECT 'post-data', 10, m.name, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', m.name)
          FROM member m WHERE m.relforcerowsecurity
         UNION ALL
        -- A dump has these grants, but before the columns.
        SELECT 'post-data', 11, format('%s %s', m.name, to_char(a.attnum, '00000')),
               format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, a.attname, m.name,
                      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
                      CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
          FROM member m
          JOIN pg_attribute a ON a.attrelid = m.oid AND a.attnum > 0 AND NOT a.attisdropped
                             AND a.attname::text <> ALL (m.columns)
         CROSS JOIN LATERAL aclexplode(a.attacl) g
         UNION ALL
        SELECT 'post-data', 12, format('%s %s', b.pubname, m.name),
               format('ALTER PUBLICATION %I ADD TABLE %s%s%s', b.pubname, m.name,
                      (SELECT format(' (%s)', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
                         FROM unnest(q.prattrs::int2[]) AS k (attnum)
                         JOIN pg_attribute a ON a.attrelid = m.oid AND a.attnum = k.attnum HAVING count(*) > 0),
                      coalesce(' WHERE (' || pg_get_expr(q.prqual, q.prrelid) || ')', ''))
          FROM member m
          JOIN pg_publication_rel q ON q.prrelid = m.oid
          JOIN pg_publication b ON b.oid = q.prpubid
    )
    SELECT a.section, a.statement || ';' FROM added a ORDER BY a.section DESC, a.place, a.name
$$;
COMMENT ON FUNCTION @extschema@.dump_user_additions() IS
'the statements that bring back what was added to the tables of the extension: no dump has it, since PostgreSQL '
'takes the definition of an extension''s tables from CREATE EXTENSION.
Columns are of section pre-data: they have to be there before the rows are restored. Owners, constraints, indexes, '
'replica identity, triggers, rules, policies, membership in publications, and grants on those columns are of section '
'post-data. Changes of what the extension ships are left out; other grants are in the dump';
