-- Part: once, since 0.3.0
-- A constraint's name is all that PostgreSQL says of why it refused a row. Those that a
-- user has dropped stay dropped.
LOCK TABLE @extschema@.signal_rules, @extschema@.signal_tiers, @extschema@.user_subscriptions
    IN ACCESS EXCLUSIVE MODE;
DO $$
DECLARE
    rename record;
BEGIN
    FOR rename IN
        SELECT k.conrelid::regclass AS table_name, r.old_name, r.new_name
          FROM (VALUES
            ('signal_rules', 'signal_rules_check',
             'exit_change_percent must be below enter_change_percent'),
            ('signal_rules', 'signal_rules_enter_change_percent_check',
             'enter_change_percent must be above 0'),
            ('signal_rules', 'signal_rules_exit_change_percent_check',
             'exit_change_percent must not be negative'),
            ('signal_rules', 'signal_rules_min_quote_volume_check',
             'min_quote_volume must be above 0'),
            ('signal_rules', 'signal_rules_confidence_per_percent_check',
             'confidence_per_percent must be above 0'),
            ('signal_rules', 'signal_rules_max_confidence_check',
             'max_confidence must be from 0 to 100'),
            ('signal_rules', 'signal_rules_min_confidence_check',
             'min_confidence must be from 0 to 100'),
            ('signal_rules', 'signal_rules_min_quality_check',
             'min_quality must be from 0 to 100'),
            ('signal_rules', 'signal_rules_stop_loss_percent_check',
             'stop_loss_percent must be above 0 and below 100'),
            ('signal_rules', 'signal_rules_take_profit_percents_check',
             'take_profit_percents must be 1 to 10 numbers above 0'),
            ('signal_rules', 'signal_rules_lifetime_check',
             'lifetime must be above 0'),
            ('signal_rules', 'signal_rules_cooldown_check',
             'cooldown must not be negative'),
            ('signal_rules', 'signal_rules_max_ticker_age_check',
             'max_ticker_age must be above 0'),
            ('signal_rules', 'signal_rules_max_signals_per_run_check',
             'max_signals_per_run must be above 0'),
            ('signal_tiers', 'signal_tiers_tier_check',
             'tier must not be empty'),
            ('signal_tiers', 'signal_tiers_daily_quota_check',
             'daily_quota must not be negative'),
            ('user_subscriptions', 'user_subscriptions_status_check',
             'status must be active, trialing, past_due, canceled or paused')
          ) AS r (table_name, old_name, new_name)
          JOIN pg_constraint k ON k.conrelid = ('@extschema@.' || r.table_name)::regclass AND k.conname = r.old_name
    LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I',
                       rename.table_name, rename.old_name, rename.new_name);
    END LOOP;
END
$$;
