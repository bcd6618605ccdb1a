-- Signals that a protection withheld are on record, too; and what subscribers are shown of the
-- forecast. Both are null on signals of before.
ALTER TABLE @extschema@.signals
    ADD COLUMN withheld_by text,
    ADD COLUMN forecast jsonb;
