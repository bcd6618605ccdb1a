-- What release 0.2.0 shipped: it kept no list.
INSERT INTO @extschema@.signal_hub_shipped_parts (table_name, kind, name)
SELECT s.table_name, s.kind, p.name
  FROM (VALUES
        ('signal_delivery_ranges', 'column',
         'changed_only deliveries last_user_id next_user_id range_id signal_id tier'),
        ('signal_delivery_ranges', 'constraint',
         'signal_delivery_ranges_pkey'),
        ('signal_delivery_ranges', 'index',
         'signal_delivery_ranges_pkey'),
        ('signal_episodes', 'column',
         'last_signal_at side since strategy symbol'),
        ('signal_episodes', 'constraint',
         'signal_episodes_pkey signal_episodes_side_check'),
        ('signal_episodes', 'index',
         'signal_episodes_pkey'),
        ('signal_pause', 'column',
         'only_row paused_at paused_by reason'),
        ('signal_pause', 'constraint',
         'signal_pause_only_row_check signal_pause_pkey'),
        ('signal_pause', 'index',
         'signal_pause_pkey'),
        ('signal_rules', 'column',
         'confidence_per_percent cooldown enabled enter_change_percent exit_change_percent '
         'lifetime max_confidence max_signals_per_run max_ticker_age min_confidence '
         'min_quality min_quote_volume shipped stop_loss_percent strategy take_profit_percents'),
        ('signal_rules', 'constraint',
         'signal_rules_check signal_rules_confidence_per_percent_check '
         'signal_rules_cooldown_check signal_rules_enter_change_percent_check '
         'signal_rules_exit_change_percent_check signal_rules_lifetime_check '
         'signal_rules_max_confidence_check signal_rules_max_signals_per_run_check '
         'signal_rules_max_ticker_age_check signal_rules_min_confidence_check '
         'signal_rules_min_quality_check signal_rules_min_quote_volume_check signal_rules_pkey '
         'signal_rules_stop_loss_percent_check signal_rules_strategy_check '
         'signal_rules_take_profit_percents_check'),
        ('signal_rules', 'index',
         'signal_rules_pkey'),
        ('signal_rules', 'trigger',
         'replace_shipped_row'),
        ('signal_runs', 'column',
         'deliver_ms deliveries delivery_failures error exchange_url fetch_ms finished_at '
         'judge_ms message record_ms retry_at run_id signals_generated sqlstate started_at '
         'status symbols_evaluated trigger'),
        ('signal_runs', 'constraint',
         'signal_runs_pkey signal_runs_status_check signal_runs_trigger_check'),
        ('signal_runs', 'index',
         'signal_runs_error_idx signal_runs_pkey signal_runs_signals_idx '
         'signal_runs_started_at_idx'),
        ('signal_symbols', 'column',
         'base_asset checked_at enabled last_seen_at quote_asset shipped status status_why '
         'symbol tick_size'),
        ('signal_symbols', 'constraint',
         'signal_symbols_pkey signal_symbols_status_check signal_symbols_symbol_check '
         'signal_symbols_tick_size_check'),
        ('signal_symbols', 'index',
         'signal_symbols_pkey'),
        ('signal_symbols', 'trigger',
         'replace_shipped_row'),
        ('signal_tiers', 'column',
         'daily_quota enabled full_details priority shipped tier'),
        ('signal_tiers', 'constraint',
         'signal_tiers_daily_quota_check signal_tiers_pkey signal_tiers_tier_check'),
        ('signal_tiers', 'index',
         'signal_tiers_pkey'),
        ('signal_tiers', 'trigger',
         'replace_shipped_row'),
        ('signals', 'column',
         'ask_price base_volume bid_price close_time confidence created_at delivered_at '
         'delivered_tiers deliveries delivery_changed_only delivery_failures '
         'delivery_next_user_id delivery_started_at delivery_tier entry_price expires_at gates '
         'high_price last_price low_price open_price open_time price_change_percent '
         'quality_score quote_volume reason run_id signal_id signal_type stop_loss strategy '
         'symbol take_profit trade_count weighted_average_price why'),
        ('signals', 'constraint',
         'signals_check signals_confidence_check signals_entry_price_check signals_pkey '
         'signals_quality_score_check signals_signal_type_check signals_stop_loss_check'),
        ('signals', 'index',
         'signals_created_at_idx signals_pkey signals_undelivered_idx'),
        ('user_signals', 'column',
         'clicked clicked_at confidence created_at entry_price expires_at full_details '
         'metadata quality_score signal_id signal_type stop_loss symbol take_profit tier '
         'user_id viewed viewed_at'),
        ('user_signals', 'constraint',
         'user_signals_pkey user_signals_signal_type_check'),
        ('user_signals', 'index',
         'user_signals_pkey'),
        ('user_signals', 'policy',
         'own_rows own_rows_marked'),
        ('user_signals', 'row security',
         'enabled'),
        ('user_signals', 'trigger',
         'stamp_marks'),
        ('user_subscriptions', 'column',
         'created_at current_period_end status tier updated_at user_id'),
        ('user_subscriptions', 'constraint',
         'user_subscriptions_pkey user_subscriptions_status_check user_subscriptions_tier_fkey'),
        ('user_subscriptions', 'index',
         'user_subscriptions_pkey user_subscriptions_tier_user_id_idx '
         'user_subscriptions_updated_at_idx'),
        ('user_subscriptions', 'policy',
         'own_rows'),
        ('user_subscriptions', 'row security',
         'enabled'),
        ('user_subscriptions', 'trigger',
         'set_updated_at')
  ) AS s (table_name, kind, names)
 CROSS JOIN LATERAL unnest(string_to_array(s.names, ' ')) AS p (name);
