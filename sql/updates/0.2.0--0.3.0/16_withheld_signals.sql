-- Signals that a protection withheld are on record, too; and what subscribers are shown of the
-- forecast. Both are null on signals of before.
ALTER TABLE @extschema@.signals
    ADD COLUMN withheld_by text,
    ADD COLUMN forecast jsonb;
-- Exchanges differ in what they say of a pair.
ALTER TABLE @extschema@.signals
    ALTER COLUMN bid_price DROP NOT NULL,
    ALTER COLUMN ask_price DROP NOT NULL,
    ALTER COLUMN weighted_average_price DROP NOT NULL,
    ALTER COLUMN trade_count DROP NOT NULL,
    ALTER COLUMN open_time DROP NOT NULL,
    ADD COLUMN exchange text,
    ADD COLUMN close_time_source text
        CONSTRAINT "close_time_source must be exchange, date or receipt"
        CHECK (close_time_source IN ('exchange', 'date', 'receipt'));
