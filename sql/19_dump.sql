-- Part: once
-- pg_dump carries what users own. The history of runs stays with its server.
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_tiers', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.user_subscriptions', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_symbols', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_rules', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_episodes', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signals', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signals_signal_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_delivery_ranges', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_delivery_ranges_range_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_runs_run_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.user_signals', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_pause', '');
