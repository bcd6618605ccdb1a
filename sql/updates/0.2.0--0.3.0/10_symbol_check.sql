-- Where CREATE EXTENSION ran with standard_conforming_strings = off, the CHECK lets a
-- backslash through. Rows that have one stay.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint k
                WHERE k.conrelid = '@extschema@.signal_symbols'::regclass AND k.conname = 'signal_symbols_symbol_check'
                  AND strpos(pg_get_constraintdef(k.oid), repeat(chr(92), 2)) = 0)
    THEN
        ALTER TABLE @extschema@.signal_symbols DROP CONSTRAINT signal_symbols_symbol_check;
        ALTER TABLE @extschema@.signal_symbols ADD CONSTRAINT signal_symbols_symbol_check
            CHECK (symbol = upper(symbol) AND symbol !~ E'[][:space:]"\\\\,[]' AND length(symbol) BETWEEN 1 AND 40)
            NOT VALID;
    END IF;
END
$$;
