-- Signals that a protection withheld are on record, too.
ALTER TABLE @extschema@.signals ADD COLUMN withheld_by text;
