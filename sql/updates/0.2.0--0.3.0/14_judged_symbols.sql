-- Runs that could judge no symbol are told from runs that found nothing. Null on runs of before.
ALTER TABLE @extschema@.signal_runs
    ADD COLUMN symbols_watched integer,
    ADD COLUMN symbols_judged integer;
-- Which of several exchanges was asked.
ALTER TABLE @extschema@.signal_runs ADD COLUMN exchange text;
