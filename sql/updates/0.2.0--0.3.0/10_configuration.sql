LOCK TABLE @extschema@.signal_symbols, @extschema@.signal_rules, @extschema@.signal_episodes
    IN ACCESS EXCLUSIVE MODE;

-- Longer symbols. And where CREATE EXTENSION ran with standard_conforming_strings = off, the CHECK
-- lets a backslash through. Rows that have one stay. Where a user dropped it, it stays dropped, and
-- where they renamed it, it keeps that name; so with the checks below.
DO $$
DECLARE
    check_name name;
BEGIN
    SELECT k.conname INTO check_name
      FROM pg_constraint k
     WHERE k.conrelid = '@extschema@.signal_symbols'::regclass AND k.contype = 'c'
       AND (k.conname = 'signal_symbols_symbol_check'
            OR pg_get_constraintdef(k.oid) LIKE 'CHECK (((symbol = upper(symbol)) AND %(length(symbol) <= 40))))');
    IF check_name IS NOT NULL THEN
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', '@extschema@.signal_symbols'::regclass, check_name);
        ALTER TABLE @extschema@.signal_symbols ADD CONSTRAINT signal_symbols_symbol_check
            CHECK (symbol = upper(symbol) AND symbol !~ E'[][:space:]"\\\\,[]' AND length(symbol) BETWEEN 1 AND 50)
            NOT VALID;
        BEGIN
            ALTER TABLE @extschema@.signal_symbols VALIDATE CONSTRAINT signal_symbols_symbol_check;
        EXCEPTION WHEN check_violation THEN
            NULL;
        END;
        IF check_name <> 'signal_symbols_symbol_check' THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT signal_symbols_symbol_check TO %I',
                           '@extschema@.signal_symbols'::regclass, check_name);
        END IF;
    END IF;
END
$$;

-- A rule that was changed goes on as it was: with renewals, its cooldown, flips at once, and
-- whatever the spread is. One that stands as it was shipped becomes the one that is shipped now.
ALTER TABLE @extschema@.signal_rules
    ADD COLUMN stop_loss_range_share numeric
        CONSTRAINT "stop_loss_range_share must be above 0" CHECK (stop_loss_range_share > 0),
    ADD COLUMN lifetime_per_range numeric
        CONSTRAINT "lifetime_per_range must be above 0" CHECK (lifetime_per_range > 0),
    ADD COLUMN lifetime_floor interval NOT NULL DEFAULT '1 hour'
        CONSTRAINT "lifetime_floor must be above 0" CHECK (lifetime_floor > '0'),
    ADD COLUMN lifetime_cap interval NOT NULL DEFAULT '24 hours',
    ADD CONSTRAINT "lifetime_cap must not be below lifetime_floor" CHECK (lifetime_cap >= lifetime_floor),
    ADD COLUMN description text,
    ADD COLUMN max_spread_percent numeric
        CONSTRAINT "max_spread_percent must be above 0" CHECK (max_spread_percent > 0),
    ADD COLUMN max_disagreement_percent numeric
        CONSTRAINT "max_disagreement_percent must be above 0" CHECK (max_disagreement_percent > 0),
    ADD COLUMN renew boolean NOT NULL DEFAULT true,
    ADD COLUMN cooldown_flips boolean NOT NULL DEFAULT false;
ALTER TABLE @extschema@.signal_rules
    ALTER COLUMN renew SET DEFAULT false,
    ALTER COLUMN cooldown_flips SET DEFAULT true,
    ALTER COLUMN max_spread_percent SET DEFAULT 0.5,
    ALTER COLUMN cooldown DROP NOT NULL;
-- Where a user changed the default, it stays as it is.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE a.attrelid = '@extschema@.signal_rules'::regclass AND a.attname = 'cooldown'
                  AND pg_get_expr(d.adbin, d.adrelid) = $shipped$'00:30:00'::interval$shipped$)
    THEN
        ALTER TABLE @extschema@.signal_rules ALTER COLUMN cooldown DROP DEFAULT;
    END IF;
END
$$;
UPDATE @extschema@.signal_rules SET renew = false, cooldown = NULL, cooldown_flips = true, max_spread_percent = 0.5
 WHERE strategy = 'momentum' AND shipped AND enabled
   AND enter_change_percent = 2 AND exit_change_percent = 1 AND min_quote_volume = 1000000
   AND confidence_per_percent = 10 AND max_confidence = 95 AND min_confidence = 0 AND min_quality = 25
   AND stop_loss_percent = 1.5 AND take_profit_percents = '{1.5,3,5}'
   AND lifetime = interval '4 hours' AND cooldown = interval '30 minutes'
   AND max_ticker_age = interval '5 minutes' AND max_signals_per_run = 10;
ALTER TABLE @extschema@.signal_episodes ADD COLUMN expires_at timestamptz;
-- Strategies are files of the library; a row of another name costs only itself.
DO $$
DECLARE
    check_name name;
BEGIN
    FOR check_name IN
        SELECT k.conname FROM pg_constraint k
         WHERE k.conrelid = '@extschema@.signal_rules'::regclass AND k.contype = 'c'
           AND (k.conname = 'signal_rules_strategy_check'
                OR pg_get_constraintdef(k.oid) = $shipped$CHECK ((strategy = 'momentum'::text))$shipped$)
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', '@extschema@.signal_rules'::regclass, check_name);
    END LOOP;
END
$$;
ALTER TABLE @extschema@.signal_rules ADD CONSTRAINT "strategy must not be empty" CHECK (strategy <> '');
UPDATE @extschema@.signal_rules SET description =
    'Follows a 24h change beyond a threshold. No edge was shown: on recorded candles of twelve pairs (2020-12 to '
    '2021-07) its signals return what a coin flip at the same moments does.'
 WHERE strategy = 'momentum' AND shipped;
