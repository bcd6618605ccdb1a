-- A reply that lacks the row of a symbol does not say that the exchange does not list it.
DO $$
DECLARE
    check_name name;
BEGIN
    FOR check_name IN
        SELECT k.conname FROM pg_constraint k
         WHERE k.conrelid = '@extschema@.signal_symbols'::regclass AND k.contype = 'c'
           AND (k.conname = 'signal_symbols_status_check'
                OR pg_get_constraintdef(k.oid) = 'CHECK ((status = ANY (ARRAY[''TRADING''::text, ''HALTED''::text, '
                   '''STALE''::text, ''INVALID''::text, ''UNKNOWN''::text])))')
    LOOP
        EXECUTE format('ALTER TABLE %1$s DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I
                            CHECK (status IN (''TRADING'', ''HALTED'', ''STALE'', ''INVALID'', ''UNKNOWN'',
                                              ''MISSING''))',
                       '@extschema@.signal_symbols'::regclass, check_name);
    END LOOP;
END
$$;
