-- A reply that lacks the row of a symbol does not say that the exchange does not list it. Where a user
-- dropped the check, it stays dropped.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint k
                WHERE k.conrelid = '@extschema@.signal_symbols'::regclass
                  AND k.conname = 'signal_symbols_status_check')
    THEN
        ALTER TABLE @extschema@.signal_symbols
            DROP CONSTRAINT signal_symbols_status_check,
            ADD CONSTRAINT signal_symbols_status_check
                CHECK (status IN ('TRADING', 'HALTED', 'STALE', 'INVALID', 'UNKNOWN', 'MISSING'));
    END IF;
END
$$;
