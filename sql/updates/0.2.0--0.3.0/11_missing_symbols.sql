-- A reply that lacks the row of a symbol does not say that the exchange does not list it.
ALTER TABLE @extschema@.signal_symbols
    DROP CONSTRAINT signal_symbols_status_check,
    ADD CONSTRAINT signal_symbols_status_check
        CHECK (status IN ('TRADING', 'HALTED', 'STALE', 'INVALID', 'UNKNOWN', 'MISSING'));
