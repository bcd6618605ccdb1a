-- Part: once, since 0.3.0
-- Numbers that a run cannot work with: NaN, which is greater than any number, more
-- digits than 28, and intervals beyond what a timestamp can hold.
--
-- An update may find some. A tick is learned again from prices; what a rule says is
-- the administrator's, so its check applies from the next change on, and runs leave
-- the rule out and say so.
LOCK TABLE @extschema@.signal_symbols, @extschema@.signal_rules IN ACCESS EXCLUSIVE MODE;
UPDATE @extschema@.signal_symbols SET tick_size = NULL
 WHERE tick_size NOT BETWEEN 0.000000000000000001 AND 1000000000 OR scale(tick_size) > 18;
ALTER TABLE @extschema@.signal_symbols ADD CONSTRAINT signal_symbols_tick_size_usable
    CHECK (tick_size BETWEEN 0.000000000000000001 AND 1000000000 AND scale(tick_size) <= 18);
ALTER TABLE @extschema@.signal_rules ADD CONSTRAINT signal_rules_usable CHECK (
    enter_change_percent <= 1000000 AND scale(enter_change_percent) <= 9
    AND scale(exit_change_percent) <= 9
    AND min_quote_volume <= 1000000000000000000 AND scale(min_quote_volume) <= 9
    AND confidence_per_percent <= 1000000 AND scale(confidence_per_percent) <= 9
    AND scale(max_confidence) <= 9 AND scale(min_confidence) <= 9 AND scale(min_quality) <= 9
    AND scale(stop_loss_percent) <= 9
    AND 1000000 >= ALL (take_profit_percents) AND array_position(take_profit_percents, NULL) IS NULL
    AND stop_loss_range_share <= 100 AND scale(stop_loss_range_share) <= 9
    AND lifetime_per_range <= 1000000 AND scale(lifetime_per_range) <= 9
    AND max_spread_percent <= 100 AND scale(max_spread_percent) <= 9
    AND max_disagreement_percent <= 100 AND scale(max_disagreement_percent) <= 9
    AND lifetime <= interval '10 years' AND cooldown <= interval '10 years' AND max_ticker_age <= interval '10 years'
    AND lifetime_cap <= interval '10 years'
) NOT VALID;
DO $$
BEGIN
    ALTER TABLE @extschema@.signal_rules VALIDATE CONSTRAINT signal_rules_usable;
EXCEPTION WHEN check_violation THEN
    RAISE WARNING USING MESSAGE = 'a row of signal_rules has a number that runs cannot work with',
        HINT = 'signal_health names it. Correct it, then run '
            'ALTER TABLE signal_rules VALIDATE CONSTRAINT signal_rules_usable.';
END
$$;
